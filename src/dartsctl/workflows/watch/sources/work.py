"""What dartsctl's own verbs do to the stack: from the record in the project's lock file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.observations import WorkBegan, WorkEnded
from dartsctl.edges.state import project_work
from dartsctl.records import record
from dartsctl.workflows.watch.signals import LookWanted, Observed

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from dartsctl.edges.state.project_work import ProjectWork
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.known import Known
    from dartsctl.workflows.watch.request import WatchRequest
    from dartsctl.workflows.watch.signals import Emit

_PAUSE = 0.25
"""Seconds between two looks at the lock file."""
_TRIES = 4
"""Readings of a record that is being written; after them it is broken."""
_UNNAMED = "another version of dartsctl"


def make(request: WatchRequest, _known: Known, deps: Deps) -> WorkSource:
    """Return the source for a watch."""
    return WorkSource(deps.state, request.project, deps.now)


@record(frozen=False)
class WorkSource:
    """Says when a verb of any dartsctl begins and ends, also one of another user or worktree.

    Reads the record and asks the kernel about its process. Never takes the lock: a verb would have
    to wait for it.
    """

    state: Path
    project: str
    clock: Callable[[], float]
    name: str = "work"

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Watch the lock file until `stop` is set."""
        stamp: tuple[int, ...] | None = None
        work: ProjectWork | None = None
        is_first = True
        unread = 0
        while True:
            now = project_work.stamp(self.state, self.project)
            if now != stamp or (work and work.goes_on):
                latest = project_work.project_work(self.state, self.project)
                unread += 1
                if latest or not now or unread >= _TRIES:
                    stamp, unread = now, 0
                    self._say(emit, work, latest, is_first=is_first)
                    work, is_first = latest, False
            if stop.wait(_PAUSE):
                return

    def _say(
        self, emit: Emit, before: ProjectWork | None, work: ProjectWork | None, *, is_first: bool
    ) -> None:
        when = self.clock()
        observations = changes(before, work, is_first=is_first)
        for observation in observations:
            emit(Observed(observation, when))
        if observations and not is_first and isinstance(observations[-1], WorkEnded):
            emit(LookWanted(f"{observations[-1].verb} has ended"))


def changes(
    before: ProjectWork | None, work: ProjectWork | None, *, is_first: bool = False
) -> list[WorkBegan | WorkEnded]:
    """Return what has happened between two readings of the record.

    At the first one, work that does not go on has ended: a watch may remember it as begun.
    """
    if work is None:
        return [WorkEnded("", succeeded=False)] if is_first else []
    if is_first and not work.goes_on:
        return [_ended(work)]
    rows: list[WorkBegan | WorkEnded] = []
    is_same = before is not None and (before.pid, before.began) == (work.pid, work.began)
    if before and before.goes_on and not is_same:
        rows.append(_ended(before))  # how it ended was overwritten
    if not is_same:
        rows.append(WorkBegan(work.verb or _UNNAMED, frozenset(work.services)))
    was_going_on = not is_same or (before is not None and before.goes_on)
    if was_going_on and not work.goes_on:
        rows.append(_ended(work))
    return rows


def _ended(work: ProjectWork) -> WorkEnded:
    return WorkEnded(work.verb or _UNNAMED, succeeded=work.succeeded)
