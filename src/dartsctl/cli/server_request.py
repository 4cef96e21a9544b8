"""From options and settings to the request for one host server."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from dartsctl.cli.deps import compose_on, working_folder
from dartsctl.cli.options import one_of
from dartsctl.cli.server_env_files import with_env_files
from dartsctl.errors import Advice, TimedOut, UsageError
from dartsctl.records import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.cli.server_options import ServerOptions
    from dartsctl.config.environment import Environment
    from dartsctl.config.settings import Settings
    from dartsctl.edges.screen.output import Screen
    from dartsctl.ports.allocation import Allocation
    from dartsctl.server.request import ServerRequest
    from dartsctl.workflows.serve.services import ServiceLookup

_COMPOSE_DEADLINE = 2.0
"""Seconds to find production's published ports: a server must not wait longer for them."""


def dev_request(
    settings: Settings, options: ServerOptions, environment: Environment | None, screen: Screen
) -> ServerRequest:
    """Return the request for the server of `dev`; `environment` is the dev stack.

    Raises UsageError for a value that an option does not take, or if nothing says what to start.
    """
    from dartsctl.config.server_program import server_command

    server = settings.server
    env_files = environment.env_files if environment else _dev_env_files(settings)
    request = _request(
        settings,
        options,
        command=server_command(settings),
        directory=server.directory,
        env_files=(*env_files, *_own_env_files(settings)),
        screen=screen,
    )
    return replace(
        request,
        kind="dev",
        health=request.health or server.health,
        handover=server.handover if options.handover is None else request.handover,
    )


def _own_env_files(settings: Settings) -> tuple[Path, ...]:
    """Return `env_files` of [server]. Raises UsageError for one that cannot be used."""
    from dartsctl.config.existing_file import existing

    origin = settings.origin("server", "env_files")
    for file in settings.server.env_files:
        settings.trust.require(file)
        if not os.path.lexists(file):
            raise UsageError(f"{origin}: no such file: {file}", hint="dartsctl init")
    return tuple(existing(file, origin) for file in settings.server.env_files)


def run_request(
    settings: Settings, options: ServerOptions, command: tuple[str, ...], screen: Screen
) -> ServerRequest:
    """Return the request for the server of `run`.

    Raises UsageError for a value that an option does not take.
    """
    return _request(
        settings,
        options,
        command=command,
        directory=working_folder(),
        env_files=(*_default_env_file(settings), *_own_env_files(settings)),
        screen=screen,
    )


def service_lookup(settings: Settings) -> ServiceLookup:
    """Return `[server.env]`, and where the services of its placeholders are."""
    from dartsctl.workflows.serve.services import ServiceLookup

    server = settings.server
    return ServiceLookup(settings.environments["dev"].project, server.env, replaces=server.replaces)


def checkout_of(settings: Settings) -> str:
    """Return the checkout: the settings' folder, else the git checkout or the working folder."""
    if settings.source:
        return str(settings.root)
    current = working_folder()
    for folder in (current, *current.parents):
        if (folder / ".git").exists():
            return str(folder)
    return str(current)


def optional_port(text: str | None, *, source: str) -> int | None:
    """Return the port that `source` names, None without one. Raises UsageError for no port."""
    from dartsctl.ports.allocation import parse_port

    return None if text is None else parse_port(text, source=source)


def branch_of(checkout: str) -> str:
    """Return the git branch, for display; empty if there is none.

    git's files are read. Starting git would execute what another user's checkout configures.
    """
    from dartsctl.system import bounded_file

    folder = Path(checkout) / ".git"
    try:
        if folder.is_file():  # a worktree, a submodule
            folder = Path(checkout) / bounded_file.read_text(folder).removeprefix("gitdir:").strip()
        head = bounded_file.read_text(folder / "HEAD").strip()
    except (OSError, ValueError):
        return ""
    name = head.removeprefix("ref: refs/heads/")
    is_detached = name == head
    is_elsewhere = name == ".invalid"  # git's reftable format
    return "" if is_detached or is_elsewhere else name


def _request(
    settings: Settings,
    options: ServerOptions,
    *,
    command: tuple[str, ...],
    directory: Path,
    env_files: tuple[Path, ...],
    screen: Screen,
) -> ServerRequest:
    from dartsctl.config.settings import ENFORCE, HANDOVER
    from dartsctl.server.request import ServerRequest
    from dartsctl.server.urls import host_name
    from dartsctl.system.users import user_name

    server = settings.server
    checkout = checkout_of(settings)
    branch = branch_of(checkout)
    request = ServerRequest(
        command=command,
        directory=str(directory),
        checkout=checkout,
        host=options.host,
        port=optional_port(options.port, source="--port"),
        dev_range=settings.ports.dev_range,
        allocation=_allocation(settings, screen),
        environment=dict(os.environ),
        port_variables=server.port_variables,
        names_port_variables=("server", "port_variables") in settings.origins,
        python=_python(command, directory, settings),
        branch=branch,
        user=user_name(os.geteuid()),
        ready_within=server.ready_timeout,
        health=_health_path(options.health),
        url_host=host_name(server.url_host, branch=branch, checkout=checkout),
        open_page=options.open_page,
        enforce=one_of("--enforce", options.enforce, ENFORCE) or server.enforce,
        handover=one_of("--handover", options.handover, HANDOVER) or "auto",
    )
    return with_env_files(_in_virtual_environment(request, settings), env_files)


def _allocation(settings: Settings, screen: Screen) -> Allocation:
    """Return production's ports; say so if its stack could not be asked for the published ones."""
    from dartsctl.workflows.preflight.production_ports import production_ports

    allocation, problem = production_ports(settings, compose_on, deadline=_COMPOSE_DEADLINE)
    if problem:
        # production need not be on this machine
        show = screen.note if isinstance(problem, TimedOut) else screen.detail
        show(f"only the documented production ports are refused: {problem.message}")
    return allocation


def _health_path(given: str | None) -> str | None:
    if given is None or re.fullmatch(r"/[!-~]*", given):
        return given
    from urllib.parse import quote

    path = quote(given.lstrip("/"), safe="/?&=%")
    raise UsageError(f"--health is not a URL path: {given!r}", hint=Advice(f"use --health /{path}"))


def _dev_env_files(settings: Settings) -> tuple[Path, ...]:
    """Return the env files of dev that exist: without services, none is needed."""
    configured = settings.environments["dev"].env_files
    if configured is None:
        return _default_env_file(settings)
    files = tuple(file for file in configured if file.is_file())
    for file in files:
        settings.trust.require(file)
    return files


def _default_env_file(settings: Settings) -> tuple[Path, ...]:
    file = settings.root / ".env"
    if not settings.source or not file.exists() or file.is_dir():
        return ()
    settings.trust.require(file)
    return (file,)


def _in_virtual_environment(request: ServerRequest, settings: Settings) -> ServerRequest:
    """Return the request with the path of its program, if the checkout's environment has that.

    A note says so: PATH leads elsewhere, or nowhere.
    """
    import shutil

    from dartsctl.config.server_program import program_for

    name = request.command[0] if request.command else ""
    if not re.fullmatch(r"[\w.+-]+", name):  # a path, a placeholder, nothing
        return request
    folders = (Path(request.directory), settings.root, Path(request.checkout))
    program = program_for(name, folders, trust=settings.trust)
    if program is None:
        return request
    on_path = shutil.which(name)
    elsewhere = f"PATH has {on_path}" if on_path else f"{name} is not on PATH"
    command = (str(program), *request.command[1:])
    return replace(request, command=command, program_note=f"using {program} ({elsewhere})")


def _python(command: tuple[str, ...], directory: Path, settings: Settings) -> str:
    """Return what {python} stands for, empty if nothing uses it.

    Without .venv and venv it is the first of the other virtual environments that `guard install`
    would take: env, UV_PROJECT_ENVIRONMENT, the active one, poetry's.
    """
    from dartsctl.config.server_program import python_for

    words = (*command, *settings.server.env.values())
    if not any("{python}" in word for word in words):
        return ""
    folders = (directory, settings.root)
    python = python_for(*folders, trust=settings.trust)
    if python != sys.executable:
        return python
    from dartsctl.edges.project import venvs

    for environment in venvs.find(folders, os.environ):
        settings.trust.require(environment.path / "pyvenv.cfg")
        return str(environment.python)
    return python
