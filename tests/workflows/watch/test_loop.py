"""The loop with its threads: what a flood of signals costs, and that it ends in time."""

from __future__ import annotations

import threading

from dartsctl.workflows.watch import loop
from dartsctl.workflows.watch.signals import Emit, Note
from fakes.replaying import Kept, Replayed

PATIENCE = 60.0
SIGNALS = 1_000


class Flood(Kept):
    """A source that emits many notes, and an output that takes none before all are emitted."""

    name = "flood"

    def __init__(self, last: int) -> None:
        """`last`: the note that ends the loop."""
        super().__init__()
        self.stop = threading.Event()
        self._last = str(last)
        self._is_emitted = threading.Event()

    def run(self, emit: Emit, stop: threading.Event) -> None:
        del stop
        for number in range(SIGNALS):
            emit(Note(str(number), 0.0))
        self._is_emitted.set()

    def note(self, note: Note) -> None:
        assert self._is_emitted.wait(PATIENCE)
        super().note(note)
        if note.text == self._last:
            self.stop.set()


def turns(flood: Flood) -> int:
    """Return the turns of the loop until it was stopped."""
    count = 0

    def is_alive() -> bool:
        nonlocal count
        count += 1
        return True

    loop.run(Replayed(output=flood).watcher, [flood], stop=flood.stop, is_alive=is_alive)
    return count


def test_a_flood_is_handled_in_order_with_few_turns() -> None:
    flood = Flood(last=SIGNALS - 1)
    assert turns(flood) < SIGNALS / 20
    assert flood.events == [str(number) for number in range(SIGNALS)]


def test_a_flood_does_not_delay_the_end() -> None:
    flood = Flood(last=0)
    assert turns(flood) == 1
    assert len(flood.events) < SIGNALS / 5
