"""From options and settings to the request for one host server."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.cli.deps import MASKER, compose_on, working_folder
from dartsctl.cli.options import one_of
from dartsctl.errors import TimedOut, UsageError

if TYPE_CHECKING:
    from dartsctl.config.environment import Environment
    from dartsctl.config.settings import Settings
    from dartsctl.edges.screen.output import Screen
    from dartsctl.server.request import ServerRequest


_PRODUCTION_ANSWERS_IN = 2.0  # seconds: a server must not wait for what is only good to know


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says of the server; None: the settings', or the default."""

    port: str | None
    host: str
    health: str | None = None
    enforce: str | None = None
    handover: str | None = None


def request_for(
    settings: Settings,
    screen: Screen,
    options: Options,
    *,
    kind: str,
    command: tuple[str, ...],
    directory: Path,
    dev: Environment | None,
) -> ServerRequest:
    """The request for the server of `dev` or `run`. Raises UsageError for a value that an option does not take."""
    from typing import get_args

    from dartsctl.ports.allocation import parse_port
    from dartsctl.server.handover import How
    from dartsctl.server.request import Enforce, ServerRequest, host_name
    from dartsctl.system.users import user_name
    from dartsctl.workflows.up.production_ports import production_ports

    server = settings.server
    checkout = checkout_of(settings)
    allocation, problem = production_ports(settings, compose_on, deadline=_PRODUCTION_ANSWERS_IN)
    if problem:
        say = (
            screen.note if isinstance(problem, TimedOut) else screen.detail
        )  # production need not be on this machine
        say(f"only the documented production ports are refused: {problem.message}")
    branch = branch_of(checkout)
    is_dev = kind == "dev"
    return ServerRequest(
        command=command,
        directory=str(directory),
        checkout=checkout,
        kind="dev" if is_dev else "run",
        host=options.host,
        port=parse_port(options.port, source="--port") if options.port is not None else None,
        dev_range=settings.ports.dev_range,
        allocation=allocation,
        environment=dict(os.environ),
        env_files=_env_files(dev.env_files if dev else _default_env_file(settings)),
        port_variables=server.port_variables,
        python=_python(command, directory, settings),
        branch=branch,
        user=user_name(os.geteuid()),
        ready_within=server.ready_timeout,
        health=_path(options.health) or (server.health if is_dev else None),
        url_host=host_name(server.url_host, branch=branch, checkout=checkout),
        enforce=one_of("--enforce", options.enforce, get_args(Enforce)) or server.enforce,
        handover=one_of("--handover", options.handover, get_args(How))
        or (server.handover if is_dev else "auto"),
    )


def _path(given: str | None) -> str | None:
    if given is not None and not re.fullmatch(r"/[!-~]*", given):
        from urllib.parse import quote

        raise UsageError(
            f"--health: {given!r} is not a path of a URL",
            hint=f"--health /{quote(given.lstrip('/'), safe='/?&=%')}",
        )
    return given


def interpolated(templates: Mapping[str, str], request: ServerRequest) -> dict[str, str]:
    """`[server.env]` with its `${NAME:-default}` filled in, from the caller's environment before the env files, as Compose does."""
    from dartsctl.edges.project.env_files import interpolated as fill

    known: dict[str, str | None] = {
        name: value for values in request.env_files.values() for name, value in values.items()
    }
    known |= request.environment
    return {name: fill(text, known) for name, text in templates.items()}


def _env_files(paths: tuple[Path, ...]) -> dict[str, dict[str, str]]:
    from dartsctl.edges.project.env_files import read

    files: dict[str, dict[str, str]] = {}
    for name, value in read(paths).items():
        files.setdefault(value.file.name, {})[name] = value.value
    for values in files.values():
        MASKER.learn(values)
    return files


def _default_env_file(settings: Settings) -> tuple[Path, ...]:
    file = settings.root / ".env"
    if not settings.source or not file.exists() or file.is_dir():
        return ()
    settings.trust.require(file)
    return (file,)


def _python(command: tuple[str, ...], directory: Path, settings: Settings) -> str:
    """What {python} stands for; where nothing asks for it, nothing is looked for."""
    from dartsctl.config.environment import python_for

    words = (*command, *settings.server.env.values())
    return (
        python_for(directory, settings.root, trust=settings.trust)
        if any("{python}" in word for word in words)
        else ""
    )


def checkout_of(settings: Settings) -> str:
    """Whose server it is: the settings' folder, else the git checkout, else the working folder."""
    if settings.source:
        return str(settings.root)
    folder = working_folder()
    return str(next((one for one in (folder, *folder.parents) if (one / ".git").exists()), folder))


def branch_of(checkout: str) -> str:
    """The git branch, for people; empty where there is none.

    Its files are read, git is not started: in another user's checkout git would do what its configuration says.
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
    return "" if name in (head, ".invalid") else name  # detached; kept elsewhere (reftable)
