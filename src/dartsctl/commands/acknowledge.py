"""`watch ack`: somebody knows of an episode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.edges.state.silence_book import SilenceBook
from dartsctl.errors import ExitCode

if TYPE_CHECKING:
    from dartsctl.config.environment import Environment
    from dartsctl.workflows.deps import Deps


def acknowledge(
    environment: Environment, episode: str | None, *, dry_run: bool, deps: Deps
) -> ExitCode:
    """Acknowledge an episode, or every open one."""
    ids = (episode,) if episode else ()
    if not dry_run:
        SilenceBook(deps.state, environment.project or environment.name).acknowledge(
            ids, deps.now()
        )
    return ExitCode.OK
