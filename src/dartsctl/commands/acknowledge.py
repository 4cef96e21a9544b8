"""`watch ack`: somebody knows of an episode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.subjects import parse_subject, spelled
from dartsctl.edges.state.silence_book import SilenceBook
from dartsctl.edges.state.watch_state import WatchState
from dartsctl.errors import Advice, DartsctlError, ExitCode, UsageError
from dartsctl.text.phrases import did_you_mean, shell_command

if TYPE_CHECKING:
    from collections.abc import Collection

    from dartsctl.alerts.state import Episode
    from dartsctl.config.environment import Environment
    from dartsctl.workflows.deps import Deps


def acknowledge(
    environment: Environment, wanted: str | None, *, dry_run: bool, deps: Deps
) -> ExitCode:
    """Acknowledge an episode, or every open one. The running watch sees it within a second.

    Raises UsageError for one that is not open, DartsctlError.
    """
    project = environment.project or environment.name
    saved = WatchState(deps.state, project).peek()
    if saved.note:
        raise DartsctlError(
            saved.note, hint=Advice("start the watch again; it sets the file aside")
        )
    now = deps.now()
    book = SilenceBook(deps.state, project)
    known = {*book.read(now).acknowledged}
    episodes = [row for row in saved.state.episodes.values() if row.opened is not None]
    if wanted is not None:
        episodes = _wanted(episodes, wanted, environment)
    new = [row for row in episodes if not row.acknowledged and row.id not in known]
    if new and not dry_run:
        book.acknowledge(tuple(row.id for row in new), now)
    verb = "would acknowledge" if dry_run else "acknowledged"
    lines = [f"{verb} {spelled(row.subject)}: {row.problem.sentence}" for row in new]
    document = {
        "ok": True,
        "exit_code": 0,
        "dry_run": dry_run,
        "acknowledged": [row.id for row in new],
    }
    deps.screen.result(document, lines)
    if not new:
        deps.screen.note(f"nothing open of {project} that is not acknowledged")
    return ExitCode.OK


def _wanted(episodes: Collection[Episode], wanted: str, environment: Environment) -> list[Episode]:
    """Return the episode that a person means by its id or its subject. Raises UsageError."""
    subject = parse_subject(wanted)
    chosen = [row for row in episodes if row.id == wanted or row.subject == subject]
    if chosen:
        return chosen
    names = [spelled(row.subject) for row in episodes]
    hint: str = shell_command("dartsctl", "watch", "status", "--env", environment.name)
    raise UsageError(f"no open episode: {wanted!r}", hint=did_you_mean(wanted, names) or hint)
