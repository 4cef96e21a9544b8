"""Silences and acknowledgements, as soon as somebody writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.observations import Acknowledged, Silenced
from dartsctl.edges.state.silence_book import SilenceBook
from dartsctl.records import record
from dartsctl.workflows.watch.signals import Note, Observed

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.known import Known
    from dartsctl.workflows.watch.request import WatchRequest
    from dartsctl.workflows.watch.signals import Emit

_PAUSE = 0.5
"""Seconds between two looks at the file."""


def make(request: WatchRequest, _known: Known, deps: Deps) -> SilenceSource:
    """Return the source for a watch."""
    return SilenceSource(SilenceBook(deps.state, request.project), deps.now)


@record(frozen=False)
class SilenceSource:
    """Passes on what people told the watch. That a silence is over the episodes see by the time."""

    book: SilenceBook
    clock: Callable[[], float]
    name: str = "silences"

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Watch the file until `stop` is set."""
        stamp: tuple[int, ...] | None = None
        acknowledged: set[str] = set()
        while True:
            now = self.book.stamp()
            if now != stamp:
                stamp = now
                acknowledged = self._say(emit, acknowledged)
            if stop.wait(_PAUSE):
                return

    def _say(self, emit: Emit, before: set[str]) -> set[str]:
        when = self.clock()
        page = self.book.read(when)
        if page.problem:
            emit(Note(page.problem, when))
        emit(Observed(Silenced(page.silences), when))
        for episode in page.acknowledged:
            if episode not in before:
                emit(Observed(Acknowledged(episode), when))
        return set(page.acknowledged)
