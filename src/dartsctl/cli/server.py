"""The host server: `dev`, `dev url|list|stop`, and `run -- COMMAND`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dartsctl.cli import completion
from dartsctl.cli.answers import answers_of
from dartsctl.cli.deps import Common, deps_of, working_folder
from dartsctl.cli.help import Verbs
from dartsctl.cli.options import (
    OnConflict,
    RemoveContainer,
    WaitTimeout,
    verb,
)
from dartsctl.cli.server_request import Options, checkout_of, interpolated, request_for
from dartsctl.cli.stack import add_lifecycle
from dartsctl.errors import UsageError

if TYPE_CHECKING:
    from dartsctl.config.environment import Environment
    from dartsctl.config.settings import Settings
    from dartsctl.edges.screen.output import Screen
    from dartsctl.server.request import LeaseRecord, ServerRequest

Port = Annotated[
    str | None,
    typer.Option("--port", help="Use this port instead of the checkout's own.", metavar="PORT"),
]
HostAddress = Annotated[str, typer.Option("--host", help="Address to bind.", metavar="ADDRESS")]
OpenPage = Annotated[
    bool, typer.Option("--open", help="Open the browser when the server is ready.")
]
Health = Annotated[
    str | None,
    typer.Option(
        "--health", help="Path that must answer before the server counts as ready.", metavar="PATH"
    ),
]
EnforceLayers = Annotated[
    str | None,
    typer.Option(
        "--enforce",
        help="How to block production ports: auto, hook (no kernel filter, so sudo works), watch or off.",
        metavar="LAYERS",
    ),
]
HandoverKind = Annotated[
    str | None,
    typer.Option(
        "--handover",
        help="How to pass the bound socket: auto, werkzeug (the command ends in app.run()) or none.",
        metavar="KIND",
    ),
]
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
    port: Port = None,
    host: HostAddress = "127.0.0.1",
    services: Annotated[
        bool, typer.Option("--services/--no-services", help="Start the dev services as well.")
    ] = True,
    in_docker: Annotated[
        bool,
        typer.Option(
            "--in-docker", help="Run the app in the dev stack, published on the leased port."
        ),
    ] = False,
    open_page: OpenPage = False,
    health: Health = None,
    enforce: EnforceLayers = None,
    handover: HandoverKind = None,
    on_conflict: OnConflict = None,
    remove_container: RemoveContainer = None,
    wait_timeout: WaitTimeout = None,
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
    settings = common.settings()
    screen = common.screen()
    if in_docker and not services:
        raise UsageError("--in-docker needs the dev stack", hint="dartsctl dev --in-docker")
    environment = _dev_environment(settings, screen) if services else None
    from dartsctl.config.environment import server_command

    options = Options(port, host, health, enforce, handover)
    request = request_for(
        settings,
        screen,
        options,
        kind="dev",
        command=server_command(settings),
        directory=settings.server.directory,
        dev=environment,
    )
    policy = on_conflict or settings.environments["dev"].on_conflict
    if common.dry_run and not remove_container and policy in (None, "ask", "fail"):
        return _dry_run(request, environment, screen)
    from dartsctl.commands.dev import DevRequest, preview_services
    from dartsctl.commands.dev import dev as run_dev

    plan = DevRequest(
        environment,
        request,
        replaces=settings.server.replaces,
        templates=settings.server.env,
        interpolate=lambda filled: interpolated(filled, request),
        required=settings.server.services == "required",
        in_docker=in_docker,
        deadline=float(wait_timeout or settings.environments["dev"].wait_timeout),
        answers=answers_of(
            common,
            settings,
            "dev",
            on_conflict=on_conflict,
            wait_timeout=wait_timeout,
            remove_containers=remove_container,
        ),
    )
    if common.dry_run:
        preview_services(plan, deps=deps_of(common))
        return _dry_run(request, environment, screen)
    return run_dev(
        plan,
        serve=lambda final: _serve(final, screen, open_page),
        deps=deps_of(common),
    )


@dev.command()
@verb
def url(common: Common) -> int:
    """Print the URL of this checkout's server.

    \b
    dartsctl dev url
    curl "$(dartsctl dev url)/health"
    """
    from dartsctl.commands.servers import url as find
    from dartsctl.edges.state.leases import LeaseBook
    from dartsctl.server.request import as_document

    record = find(checkout_of(common.settings()), leases=LeaseBook())
    common.screen().result({"ok": True, "exit_code": 0, **as_document(record)}, [record.url])
    return 0


@dev.command("list")
@verb
def list_servers(common: Common) -> int:
    """List the servers that dartsctl runs on this machine.

    \b
    dartsctl dev list
    dartsctl dev list --json | jq -r '.servers[].url'
    """
    import time

    from dartsctl.commands.servers import list_servers as find
    from dartsctl.edges.state.leases import LeaseBook
    from dartsctl.server.request import as_document
    from dartsctl.text.phrases import duration

    records = find(leases=LeaseBook())
    screen = common.screen()
    if screen.as_json:
        servers = [
            {**as_document(one), "age": round(time.time() - one.since, 1) if one.since else None}
            for one in records
        ]
        screen.document({"ok": True, "exit_code": 0, "servers": servers})
        return 0
    if not records:
        screen.note("no server runs; start one: dartsctl dev")
    rows = [
        (
            str(one.port),
            one.url,
            one.checkout,
            one.branch or "-",
            one.user or "-",
            duration(time.time() - one.since) if one.since else "-",
            str(one.pid),
            " ".join(one.shown_command),
        )
        for one in records
    ]
    screen.table(("PORT", "URL", "CHECKOUT", "BRANCH", "USER", "AGE", "PID", "COMMAND"), rows)
    return 0


@dev.command()
@verb
def stop(
    common: Common,
    port: ServerPort = None,
) -> int:
    """Stop a server and every process that it started.

    \b
    dartsctl dev stop        stop this checkout's server
    dartsctl dev stop 5007   stop the server on port 5007, in any checkout
    """
    from dartsctl.edges.host import processes
    from dartsctl.edges.state.leases import LeaseBook
    from dartsctl.ports.allocation import parse_port
    from dartsctl.server.request import as_document
    from dartsctl.workflows.up.stop_server import server_to_stop as find
    from dartsctl.workflows.up.stop_server import stop as run_stop

    number = parse_port(port, source="PORT") if port is not None else None
    screen = common.screen()
    if common.dry_run:
        record = find(
            "" if number else checkout_of(common.settings()), port=number, leases=LeaseBook()
        )
        document = {"ok": True, "exit_code": 0, "dry_run": True, "would_stop": as_document(record)}
        screen.result(document, [f"would stop the server on port {record.port} (pid {record.pid})"])
        return 0
    stopped = run_stop(
        checkout_of(common.settings()) if number is None else "",
        port=number,
        leases=LeaseBook(),
        processes=processes,
    )
    screen.result({"ok": True, "exit_code": 0, **stopped.as_document()}, [])
    screen.note(f"stopped the server on port {stopped.record.port}")
    return 0


add_lifecycle("dev", dev)


@verb
def run(
    *,
    common: Common,
    command: Annotated[
        list[str],
        typer.Argument(
            help="Command that starts the server; {port}, {host}, {url}, {fd} and {python} are filled in.",
            metavar="COMMAND...",
        ),
    ],
    port: Port = None,
    host: HostAddress = "127.0.0.1",
    open_page: OpenPage = False,
    health: Health = None,
    enforce: EnforceLayers = None,
    handover: HandoverKind = None,
) -> int:
    """Run a server on a leased port, never on a production port.

    Works in any folder. The leased port (5001-5099) is passed in PORT, FLASK_RUN_PORT and
    FLASK_PORT. The exit code is the server's own.

    \b
    dartsctl run -- flask run                      PORT is set
    dartsctl run -- python -m http.server {port}   the port is filled in
    dartsctl run --port 5007 -- gunicorn -b {host}:{port} app:app
    dartsctl run --health /up -- npm run dev       ready when /up answers
    dartsctl run -- bash                           production ports blocked
    """
    settings = common.settings()
    screen = common.screen()
    options = Options(port, host, health, enforce, handover)
    request = request_for(
        settings,
        screen,
        options,
        kind="run",
        command=tuple(command),
        directory=working_folder(),
        dev=None,
    )
    if common.dry_run:
        return _dry_run(request, None, screen)
    return _serve(request, screen, open_page)


def _dev_environment(settings: Settings, screen: Screen) -> Environment | None:
    """The dev stack; None, said loudly, where nothing says which files it is made of and the services are optional."""
    from dartsctl.config.environment import resolve

    try:
        return resolve(settings, "dev")
    except UsageError as error:
        if settings.server.services == "required":
            raise
        screen.warn(f"the services are off: {error.message}")
        return None


def _serve(request: ServerRequest, screen: Screen, open_page: bool) -> int:
    from dartsctl.commands.run import run as run_server
    from dartsctl.edges.host import processes, sockets
    from dartsctl.edges.screen import browser
    from dartsctl.edges.state.leases import LeaseBook

    def announce(record: LeaseRecord) -> None:
        screen.note(f"dartsctl: {record.url} (pid {record.pid})")
        if open_page and not browser.open_page(record.url):
            screen.warn("there is no browser to open it in")

    return run_server(
        request,
        leases=LeaseBook(),
        sockets=sockets,
        processes=processes,
        screen=screen,
        announce=announce,
    )


def _dry_run(request: ServerRequest, environment: Environment | None, screen: Screen) -> int:
    from dartsctl.server import request as serving
    from dartsctl.text.masking import mask_command

    serving.refuse_production(request)
    serving.bind_address(request.host)
    files = ", ".join(str(file) for file in environment.files) if environment else ""
    lines = [f"would bring up the services of {files}"] if environment else []
    command = " ".join(mask_command(request.command))
    where = f"port {request.port}" if request.port else f"a free port of {request.dev_range}"
    screen.result(
        {"ok": True, "exit_code": 0, "dry_run": True, "port": request.port},
        [*lines, f"would start on {where}: {command}"],
    )
    return 0
