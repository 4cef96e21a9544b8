"""One dartsctl at a time changes a project. The next one waits, and says for whom."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from dartsctl.edges.state.project_lock import WorkResult, project_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.config.environment import Environment
    from dartsctl.workflows.deps import Deps


@contextmanager
def locked_project(
    environment: Environment,
    *,
    verb: str,
    services: tuple[str, ...] = (),
    within: float,
    deps: Deps,
) -> Iterator[WorkResult]:
    """Keep every other dartsctl of this state folder from changing the environment's project.

    `verb` and `services` (empty: all) tell a watch what is planned. Wait at most `within` seconds.
    Raises TimedOut, and DartsctlError if the state folder cannot be used.
    """
    project = environment.project or environment.name

    def waiting(holder: str) -> None:
        deps.forget_answers()  # the files may change meanwhile
        deps.screen.note(f"{holder} is working on {project}; waiting for it")

    with project_lock(
        deps.state, project, within=within, waiting=waiting, verb=verb, services=services
    ) as result:
        yield result
