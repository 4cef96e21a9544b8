"""`dev`: the dev services and the app server, `dev url|list|stop`, and the verbs of the stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dartsctl.cli import completion
from dartsctl.cli.answers import answers_of
from dartsctl.cli.deps import Common, deps_of, environment_of
from dartsctl.cli.help import Verbs
from dartsctl.cli.options import ConflictOptions, verb
from dartsctl.cli.server_request import (
    ServerOptions,
    checkout_of,
    dev_request,
    optional_port,
    service_lookup,
)
from dartsctl.cli.stack import add_lifecycle
from dartsctl.errors import UsageError

if TYPE_CHECKING:
    from dartsctl.config.environment import Environment
    from dartsctl.config.settings import Settings

ServerPort = Annotated[
    str | None,
    typer.Argument(
        help="Port of the server; this checkout's server if none is named.",
        metavar="[PORT]",
        show_default=False,
        autocompletion=completion.dev_ports,
    ),
]

dev = Verbs(invoke_without_command=True)


@dev.callback()
@verb
def dev_server(
    *,
    common: Common,
    context: typer.Context,
    options: ServerOptions,
    services: Annotated[
        bool, typer.Option("--services/--no-services", help="Start the dev services as well.")
    ] = True,
    in_docker: Annotated[
        bool,
        typer.Option(
            "--in-docker", help="Run the app in the dev stack, published on the leased port."
        ),
    ] = False,
    conflict: ConflictOptions,
) -> int | None:
    """Start the dev services, and the app server on a leased port.

    The services run in Docker, the server runs on this host (ports 5001-5099). Ctrl-C stops the
    server; the services keep running.

    \b
    dartsctl dev                 start, and print the URL
    dartsctl dev --no-services   start only the server
    dartsctl dev --open          start, and open the browser
    dartsctl dev --in-docker     run the app in a container as well
    dartsctl dev url             print the URL
    dartsctl dev stop            stop the server from another terminal
    dartsctl dev down            stop the services
    """
    if context.invoked_subcommand:
        return None
    if in_docker and not services:
        raise UsageError(
            "--in-docker cannot be used with --no-services", hint="dartsctl dev --in-docker"
        )
    from dartsctl.commands.dev import DevRequest
    from dartsctl.commands.dev import dev as run_dev

    settings = common.settings()
    deps = deps_of(common)
    environment, problem = None, ""
    if in_docker or (services and settings.environments["dev"].files != ()):
        environment, problem = _dev_environment(common, settings, needed=in_docker)
    request = DevRequest(
        environment,
        dev_request(settings, options, environment, deps.screen),
        services=service_lookup(settings),
        services_problem=problem,
        required=settings.server.services == "required",
        in_docker=in_docker,
        wait_timeout=conflict.wait_timeout or settings.environments["dev"].wait_timeout,
        settling_time=settings.environments["dev"].settling_time,
        answers=answers_of(common, settings, "dev", conflict),
        dry_run=common.dry_run,
    )
    return run_dev(request, deps=deps)


@dev.command()
@verb
def url(common: Common) -> int:
    """Print the URL of this checkout's server.

    \b
    dartsctl dev url
    curl "$(dartsctl dev url)/health"
    """
    from dartsctl.commands.servers import show_url

    return show_url(checkout_of(common.settings()), deps=deps_of(common))


@dev.command("list")
@verb
def list_servers(common: Common) -> int:
    """List the servers that dartsctl runs on this machine.

    \b
    dartsctl dev list
    dartsctl dev list --json | jq -r '.servers[].url'
    """
    from dartsctl.commands.servers import list_servers as show_servers

    return show_servers(deps=deps_of(common))


@dev.command()
@verb
def stop(common: Common, port: ServerPort = None) -> int:
    """Stop a server and every process that it started.

    \b
    dartsctl dev stop        stop this checkout's server
    dartsctl dev stop 5007   stop the server on port 5007, in any checkout
    """
    from dartsctl.commands.servers import stop_server

    number = optional_port(port, source="PORT")
    checkout = checkout_of(common.settings()) if number is None else ""
    return stop_server(checkout, port=number, dry_run=common.dry_run, deps=deps_of(common))


add_lifecycle("dev", dev)


def _dev_environment(
    common: Common, settings: Settings, *, needed: bool
) -> tuple[Environment | None, str]:
    """Return the dev stack.

    If no Compose file is found, and the services are optional, return None and the reason.
    """
    try:
        return environment_of(common, settings, "dev"), ""
    except UsageError as error:
        if needed or settings.server.services == "required":
            raise
        return None, error.message
