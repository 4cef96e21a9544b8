"""`watch status`: what the running watch knows, from its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.edges.state.watch_lock import running_watch
from dartsctl.errors import ExitCode

if TYPE_CHECKING:
    from dartsctl.config.environment import Environment
    from dartsctl.workflows.deps import Deps


def status(environment: Environment, *, deps: Deps) -> ExitCode:
    """Show it. Asks neither the engine nor Compose."""
    project = environment.project or environment.name
    watching = running_watch(deps.state, project)
    document = {"ok": True, "exit_code": 0, "project": project, "running": watching is not None}
    line = f"no watch of {project} runs"
    if watching:
        line = f"a watch of {project} runs ({watching.words})"
    deps.screen.result(document, [line])
    return ExitCode.OK
