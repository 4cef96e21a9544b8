"""The loop with its threads: what a flood of signals costs, and that it ends in time."""

from __future__ import annotations

import threading
from collections.abc import Callable

from dartsctl.alerts.observations import Exited, Looked, Started
from dartsctl.alerts.state import Message, State
from dartsctl.workflows.watch import loop
from dartsctl.workflows.watch.signals import Emit, Note, Observed
from fakes.alerting import KINDS, START, a_problem, service
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


class SavedFirst(Kept):
    """An output that keeps what the state file says when a message is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[State] = []
        self.load: Callable[[], State] = State

    def message(self, message: Message) -> None:
        super().message(message)
        self.files.append(self.load())


def test_a_message_is_saved_before_it_is_shown() -> None:
    """Also without a channel, and right after another save."""
    output = SavedFirst()
    watch = Replayed(output=output)
    output.load = watch.file.load
    problem = a_problem("app", "app-exited")
    exit_ = Observed(Exited("app", "app-1", problem), START + 1)
    looked = Observed(Looked((problem,), KINDS), START + 1.1)
    watch.run([(START + 1, exit_), (START + 1.1, looked)])
    watch.finish()
    assert [message.occasion for message in watch.messages] == ["opened"]
    assert output.files[0].episodes[service("app")].phase == "open"


def test_a_look_is_wanted_when_a_container_was_started() -> None:
    """One that began while it was restarted has seen the time before, or nothing of it."""
    watch = Replayed()
    watch.run([(START + 1, Observed(Started("app", "app-1"), START + 1))])
    assert "app was started" in watch.wanted
