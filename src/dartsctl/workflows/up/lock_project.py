"""One dartsctl at a time changes a project. The next one waits, and says for whom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dartsctl.edges.state.project_lock import project_lock

if TYPE_CHECKING:
    from dartsctl.config.environment import Environment
    from dartsctl.workflows.deps import Deps


@contextmanager
def locked_project(environment: Environment, *, within: float, deps: Deps) -> Iterator[None]:
    """Keep every other dartsctl of this state folder from changing the environment's project.

    Wait at most `within` seconds. Raises TimedOut, and DartsctlError if the state folder cannot be
    used.
    """
    project = environment.project or environment.name

    def waiting(holder: str) -> None:
        deps.screen.note(f"{holder} is working on {project}; waiting for it")

    with project_lock(deps.state, project, within=within, waiting=waiting):
        yield
