"""`watch --print-unit`: systemd units for this project."""

from __future__ import annotations

import grp
import os
import pwd
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.edges.engine.address import is_unix_socket, socket_path
from dartsctl.errors import ExitCode
from dartsctl.system.users import user_name
from dartsctl.workflows.watch.units import UnitPlan, instructions, units

if TYPE_CHECKING:
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.request import WatchRequest

_VARIABLES = (
    "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY",
    "COMPOSE_FILE", "COMPOSE_PATH_SEPARATOR", "COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME",
)  # fmt: skip
"""What the service must have as this shell has it, besides PATH. None of it is a secret."""
_USUAL_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


def print_units(
    request: WatchRequest, options: tuple[str, ...], *, address: str, deps: Deps
) -> ExitCode:
    """Print them, with how to install them. Nothing is written. `address`: of the engine."""
    plan = _plan(request, options, address, deps)
    texts = units(plan)
    lines: list[str] = []
    for text in texts.values():
        lines += [*text.splitlines(), ""]
    document = {
        "ok": True,
        "exit_code": 0,
        "units": texts,
        "install": [line.removeprefix("#").strip() for line in instructions(plan)],
    }
    deps.screen.result(document, [*lines, *instructions(plan)])
    return ExitCode.OK


def _plan(request: WatchRequest, options: tuple[str, ...], address: str, deps: Deps) -> UnitPlan:
    user = user_name(os.geteuid())
    variables: dict[str, str] = {}
    for name in _VARIABLES:
        if value := deps.environ.get(name):
            variables[name] = value
    path = deps.environ.get("PATH", "")
    if any(folder not in _USUAL_PATH for folder in path.split(os.pathsep)):
        variables["PATH"] = path
    return UnitPlan(
        project=request.project,
        environment=request.environment.name,
        root=request.environment.directory,
        state=deps.state.absolute(),
        user=user,
        program=(sys.executable, "-P", "-m", "dartsctl"),
        options=options,
        groups=_groups(address, user),
        variables=variables,
        docker_service=is_unix_socket(address) and not address.startswith("unix:///run/user/"),
        reserves=request.settings.reserve,
    )


def _groups(address: str, user: str) -> tuple[str, ...]:
    """Return the group of the engine's socket, if the user needs it besides their own."""
    if not is_unix_socket(address) or user == "root":
        return ()
    try:
        status = Path(socket_path(address)).stat()
        if status.st_gid in (0, pwd.getpwnam(user).pw_gid):
            return ()
        return (grp.getgrgid(status.st_gid).gr_name,)
    except (OSError, KeyError):
        return ()
