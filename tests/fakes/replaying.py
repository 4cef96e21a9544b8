"""The real Watcher with a clock that a recording sets: no threads, no waiting."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from dartsctl.alerts.outbox import Outbox
from dartsctl.alerts.rules import Rules
from dartsctl.alerts.state import Message, State
from dartsctl.alerts.state_document import read_state, state_document
from dartsctl.text.strict_json import Source, read_json
from dartsctl.workflows.watch.build_view import ViewBoard
from dartsctl.workflows.watch.known import Known
from dartsctl.workflows.watch.loop import Watcher
from dartsctl.workflows.watch.recording import Recorder, ReplayClock, replay
from dartsctl.workflows.watch.saving import Saver, resumed
from dartsctl.workflows.watch.signals import Note, Noticed, Signal
from dartsctl.workflows.watch.view import View
from fakes.alerting import START


class Kept:
    """An output that keeps what it gets, or counts it."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.events: list[str] = []

    def noticed(self, noticed: Noticed) -> None:
        self.events.append(f"noticed {noticed.what}")

    def message(self, message: Message) -> None:
        self.messages.append(message)
        self.events.append(f"{message.occasion} {message.episode.subject.name}")

    def note(self, note: Note) -> None:
        self.events.append(note.text)

    def view(self, view: View) -> None:
        """Nobody looks."""

    def close(self) -> None:
        """Nothing is open."""


class MemoryFile:
    """A state file in memory, as JSON text."""

    fails = False

    def __init__(self) -> None:
        self.text = ""
        self.saves = 0

    def save(self, state: State, outbox: Outbox) -> str:
        assert outbox == Outbox()
        self.text = json.dumps(state_document(state))
        self.saves += 1
        return ""

    def load(self) -> State:
        if not self.text:
            return State()
        return read_state(read_json(self.text, Source("state.json")))


class Replayed:
    """A watch that is replayed, and may be restarted in between."""

    def __init__(
        self,
        rules: Rules | None = None,
        *,
        output: Kept | None = None,
        jumped: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.rules = rules or Rules()
        self.output = output or Kept()
        self.clock = ReplayClock(START)
        self.file = MemoryFile()
        self.recording: list[str] = []
        self.wanted: list[str] = []
        self._jumped = jumped
        self.watcher = self._start()

    @property
    def messages(self) -> list[Message]:
        return self.output.messages

    @property
    def events(self) -> list[str]:
        return self.output.events

    def run(self, signals: Iterable[tuple[float, Signal]]) -> Replayed:
        replay(signals, self.watcher, self.clock)
        return self

    def finish(self) -> None:
        """Let ten minutes pass."""
        replay((), self.watcher, self.clock, afterwards=600.0)

    def restart(self) -> None:
        """End cleanly, and begin with what was saved."""
        self.watcher.close()
        self.watcher = self._start()

    def _start(self) -> Watcher:
        saved, known = self.file.load(), Known()
        return Watcher(
            [self.output],
            rules=self.rules,
            clock=self.clock,
            board=ViewBoard("prod", "darts", known),
            want_look=self.wanted.append,
            known=known,
            state=resumed(saved, self.clock()),
            saver=Saver(self.file, saved, Outbox()),
            jumped=self._jumped,
            record=Recorder(self.recording.append).record,
        )


def replayed(signals: Iterable[tuple[float, Signal]], *, rules: Rules | None = None) -> Replayed:
    """Return a watch that has gone through the signals and ten minutes more."""
    watch = Replayed(rules)
    watch.run(signals)
    watch.finish()
    return watch
