"""`dev`: the dev services and the app server, `dev url|list|stop`, and the verbs of the stack."""

from __future__ import annotations

from dartsctl.cli.options import CONFLICT
from dartsctl.cli.parameters import Argument, Option, Verbs
from dartsctl.cli.server_options import SERVER
from dartsctl.cli.stack import add_lifecycle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.cli.deps import Common
    from dartsctl.cli.options import ConflictOptions
    from dartsctl.cli.server_options import ServerOptions
    from dartsctl.config.environment import Environment
    from dartsctl.config.settings import Settings

dev = Verbs(needs_a_verb=False)


@dev.itself(
    options=SERVER,
    services=Option("--services/--no-services", text="Start the dev services as well."),
    in_docker=Option(
        "--in-docker", text="Run the app in the dev stack, published on the leased port."
    ),
    conflict=CONFLICT,
)
def dev_server(
    *,
    common: Common,
    options: ServerOptions,
    services: bool = True,
    in_docker: bool = False,
    conflict: ConflictOptions,
) -> int:
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
    from dartsctl.cli.answers import answers_of
    from dartsctl.cli.deps import ONE_RUN, deps_of
    from dartsctl.cli.server_request import dev_request, service_lookup
    from dartsctl.errors import UsageError

    if in_docker and not services:
        raise UsageError(
            "--in-docker cannot be used with --no-services", hint="dartsctl dev --in-docker"
        )
    from dartsctl.commands.dev import DevRequest
    from dartsctl.commands.dev import dev as run_dev
    from dartsctl.system import collector

    collector.run_as_usual()
    settings = common.settings()
    deps = deps_of(common, remembers=ONE_RUN)
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


@dev.verb()
def url(*, common: Common) -> int:
    """Print the URL of this checkout's server.

    \b
    dartsctl dev url
    curl "$(dartsctl dev url)/health"
    """
    from dartsctl.cli.deps import deps_of
    from dartsctl.cli.server_request import checkout_of
    from dartsctl.commands.servers import show_url

    return show_url(checkout_of(common.settings()), deps=deps_of(common))


@dev.verb("list")
def list_servers(*, common: Common) -> int:
    """List the servers that dartsctl runs on this machine.

    \b
    dartsctl dev list
    dartsctl dev list --json | jq -r '.servers[].url'
    """
    from dartsctl.cli.deps import deps_of
    from dartsctl.commands.servers import list_servers as show_servers

    return show_servers(deps=deps_of(common))


@dev.verb(
    port=Argument(
        text="Port of the server; this checkout's server if none is named.",
        metavar="[PORT]",
        completion="dev_ports",
    )
)
def stop(*, common: Common, port: str | None = None) -> int:
    """Stop a server and every process that it started.

    \b
    dartsctl dev stop        stop this checkout's server
    dartsctl dev stop 5007   stop the server on port 5007, in any checkout
    """
    from dartsctl.cli.deps import deps_of
    from dartsctl.cli.server_request import checkout_of, optional_port
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
    from dartsctl.cli.deps import environment_of
    from dartsctl.errors import UsageError

    try:
        return environment_of(common, settings, "dev"), ""
    except UsageError as error:
        if needed or settings.server.services == "required":
            raise
        return None, error.message
