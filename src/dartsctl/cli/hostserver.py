"""The host server: `dev`, `dev url|list|stop`, and `run -- COMMAND`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dartsctl.cli import completion
from dartsctl.cli.options import Common, OnConflict, WaitTimeout, answers_of, compose_on, prompts_of, verb, working_folder
from dartsctl.cli.root import app, production_of
from dartsctl.cli.stacks import add_lifecycle
from dartsctl.errors import DartsctlError, UsageError

if TYPE_CHECKING:
    from dartsctl.allocation import Allocation
    from dartsctl.edges.output import Screen
    from dartsctl.environment import Environment
    from dartsctl.serving import ServerRequest
    from dartsctl.settings import Settings

Port = Annotated[str | None, typer.Option("--port", help="This port, instead of the checkout's own one.", metavar="PORT")]
HostAddress = Annotated[str, typer.Option("--host", help="The address to bind.", metavar="ADDRESS")]
ServerPort = Annotated[
    str | None,
    typer.Argument(help="The server on this port; else this checkout's.", metavar="[PORT]", show_default=False, autocompletion=completion.dev_ports),
]

dev = typer.Typer(invoke_without_command=True)
app.add_typer(dev, name="dev")


@dev.callback()
@verb
def dev_server(
    *,
    common: Common,
    context: typer.Context,
    port: Port = None,
    host: HostAddress = "127.0.0.1",
    services: Annotated[bool, typer.Option("--services/--no-services", help="Start the dev services too.")] = True,
    on_conflict: OnConflict = None,
    wait_timeout: WaitTimeout = None,
) -> int | None:
    """The dev services in Docker, and the server on this host on a leased port (5001-5099). Ctrl-C stops the server; the services stay.

    \b
    dartsctl dev                 start; the URL is printed
    dartsctl dev --no-services   the server alone
    dartsctl dev url             where it is
    dartsctl dev stop            stop it from another terminal
    dartsctl dev down            stop the services
    """
    if context.invoked_subcommand:
        return None
    settings = common.settings()
    screen = common.screen()
    environment = _dev_environment(settings, screen) if services else None
    from dartsctl.environment import server_command

    request = _request(
        settings,
        common,
        screen,
        command=server_command(settings),
        directory=settings.server.directory,
        port=port,
        host=host,
        kind="dev",
        dev=environment,
    )
    if common.dry_run:
        return _dry_run(request, environment, screen)
    from dartsctl.commands.dev import DevRequest
    from dartsctl.commands.dev import dev as run_dev

    plan = DevRequest(
        environment,
        request,
        replaces=settings.server.replaces,
        templates=_interpolated(settings.server.env, request),
        required=settings.server.services == "required",
        deadline=float(wait_timeout or settings.environments["dev"].wait_timeout),
        answers=answers_of(common, settings, "dev", on_conflict, wait_timeout),
    )
    return run_dev(plan, compose=compose_on, prompts=prompts_of(common), serve=lambda final: _serve(final, screen), screen=screen)


@dev.command()
@verb
def url(common: Common) -> int:
    """The URL of this checkout's server."""
    from dartsctl.commands.servers import url as find
    from dartsctl.edges.leases import LeaseBook
    from dartsctl.serving import as_document

    record = find(_checkout(common), leases=LeaseBook())
    common.screen().result({"ok": True, "exit_code": 0, **as_document(record)}, [record.url])
    return 0


@dev.command("list")
@verb
def list_servers(common: Common) -> int:
    """Every server that dartsctl runs on this machine: port, URL, checkout, branch, user, age."""
    import time

    from dartsctl.commands.servers import list_servers as find
    from dartsctl.edges.leases import LeaseBook
    from dartsctl.serving import as_document
    from dartsctl.wording import duration

    records = find(leases=LeaseBook())
    screen = common.screen()
    if screen.as_json:
        screen.document({"ok": True, "exit_code": 0, "servers": [as_document(one) for one in records]})
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
        )
        for one in records
    ]
    screen.table(("PORT", "URL", "CHECKOUT", "BRANCH", "USER", "AGE", "PID"), rows)
    return 0


@dev.command()
@verb
def stop(
    common: Common,
    port: ServerPort = None,
) -> int:
    """Stop a server, and all that it has started."""
    from dartsctl.allocation import parse_port
    from dartsctl.commands.server_stop import stop as run_stop
    from dartsctl.commands.servers import url as find
    from dartsctl.edges import processes
    from dartsctl.edges.leases import LeaseBook

    number = parse_port(port, source="PORT") if port is not None else None
    screen = common.screen()
    if common.dry_run:
        record = LeaseBook().holder(number) if number else find(_checkout(common), leases=LeaseBook())
        screen.note(f"would stop the server on port {record.port} (pid {record.pid})" if record else f"no server of dartsctl runs on port {number}")
        return 0
    stopped = run_stop(_checkout(common) if number is None else "", port=number, leases=LeaseBook(), processes=processes)
    screen.result({"ok": True, "exit_code": 0, **stopped.as_document()}, [])
    screen.note(f"stopped the server on port {stopped.record.port}")
    return 0


add_lifecycle("dev", dev)


@app.command(context_settings={"allow_interspersed_args": False})
@verb
def run(
    *,
    common: Common,
    command: Annotated[list[str], typer.Argument(help="The server; {port} {host} {url} {python} are filled in.", metavar="COMMAND...")],
    port: Port = None,
    host: HostAddress = "127.0.0.1",
) -> int:
    """Any server on a leased port (5001-5099), never on a production one. Works in any folder; ends with the server's own code.

    \b
    dartsctl run -- flask run                         PORT, FLASK_RUN_PORT and FLASK_PORT are set
    dartsctl run -- python -m http.server {port}      or the port is filled in
    dartsctl run --port 5007 -- gunicorn -b {host}:{port} app:app
    """
    settings = common.settings()
    screen = common.screen()
    request = _request(settings, common, screen, command=tuple(command), directory=working_folder(), port=port, host=host, kind="run", dev=None)
    if common.dry_run:
        return _dry_run(request, None, screen)
    return _serve(request, screen)


def _dev_environment(settings: Settings, screen: Screen) -> Environment | None:
    """The dev stack; None, said loudly, where nothing says which files it is made of and the services are optional."""
    from dartsctl.environment import resolve

    try:
        return resolve(settings, "dev")
    except UsageError as error:
        if settings.server.services == "required":
            raise
        screen.warn(f"the services are off: {error.message}")
        return None


def _request(
    settings: Settings,
    common: Common,
    screen: Screen,
    *,
    command: tuple[str, ...],
    directory: Path,
    port: str | None,
    host: str,
    kind: str,
    dev: Environment | None,
) -> ServerRequest:
    import getpass

    from dartsctl.allocation import parse_port
    from dartsctl.edges.env_files import read
    from dartsctl.environment import python_for
    from dartsctl.serving import ServerRequest

    files: dict[str, dict[str, str]] = {}
    for name, value in read(dev.env_files if dev else _default_env_file(settings)).items():
        files.setdefault(value.file.name, {})[name] = value.value
    checkout = _checkout(common)
    return ServerRequest(
        command=command,
        directory=str(directory),
        checkout=checkout,
        kind="dev" if kind == "dev" else "run",
        host=host,
        port=parse_port(port, source="--port") if port is not None else None,
        dev_range=settings.ports.dev_range,
        allocation=_allocation(settings, screen),
        environment=dict(os.environ),
        env_files=files,
        port_variables=settings.server.port_variables,
        python=python_for(directory, settings.root),
        branch=_branch(checkout),
        user=getpass.getuser(),
        ready_within=settings.server.ready_timeout,
    )


def _interpolated(templates: Mapping[str, str], request: ServerRequest) -> dict[str, str]:
    """`[server.env]` with its `${NAME:-default}` filled in, from the caller's environment before the env files, as Compose does."""
    from dartsctl.edges.env_files import interpolated

    known: dict[str, str | None] = {name: value for values in request.env_files.values() for name, value in values.items()}
    known |= request.environment
    return {name: interpolated(text, known) for name, text in templates.items()}


def _default_env_file(settings: Settings) -> tuple[Path, ...]:
    file = settings.root / ".env"
    return (file,) if settings.source and file.is_file() else ()


def _allocation(settings: Settings, screen: Screen) -> Allocation:
    """Production's ports, what its stack publishes included wherever Compose can tell."""
    from dartsctl.allocation import Allocation
    from dartsctl.commands.production import allocation

    documented = Allocation.of(settings.ports.production)
    production = production_of(settings)
    try:
        united, problem = allocation(documented, compose_on(production) if production else None)
    except DartsctlError as error:  # no Docker here: the documented ports count
        united, problem = documented, error.message
    if problem:
        screen.detail(f"only the documented production ports are refused: {problem}")
    return united


def _checkout(common: Common) -> str:
    """Whose server it is: the settings' folder, else the git checkout, else the working folder."""
    settings = common.settings()
    if settings.source:
        return str(settings.root)
    folder = working_folder()
    return str(next((one for one in (folder, *folder.parents) if (one / ".git").exists()), folder))


def _branch(checkout: str) -> str:
    """The git branch, for people; empty where there is none."""
    if not (Path(checkout) / ".git").exists():
        return ""
    from dartsctl import spawn

    try:
        done = spawn.run(["git", "-C", checkout, "branch", "--show-current"], deadline=2)
    except DartsctlError:
        return ""
    return done.stdout.strip() if done.code == 0 else ""


def _serve(request: ServerRequest, screen: Screen) -> int:
    from dartsctl.commands.run import run as run_server
    from dartsctl.edges import processes, sockets
    from dartsctl.edges.leases import LeaseBook

    return run_server(request, leases=LeaseBook(), sockets=sockets, processes=processes, screen=screen)


def _dry_run(request: ServerRequest, environment: Environment | None, screen: Screen) -> int:
    from dartsctl import masking, serving

    serving.refuse_production(request)
    files = ", ".join(str(file) for file in environment.files) if environment else ""
    lines = [f"would bring up the services of {files}"] if environment else []
    command = " ".join(masking.command(request.command))
    where = f"port {request.port}" if request.port else f"a free port of {request.dev_range}"
    screen.result({"ok": True, "exit_code": 0, "dry_run": True, "port": request.port}, [*lines, f"would start on {where}: {command}"])
    return 0
