"""The loop: takes signals from its queue, asks the episodes, and passes messages on."""

from __future__ import annotations

import queue
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from dartsctl.alerts.clock import look_due
from dartsctl.alerts.observations import ClockJumped, Started, Tick
from dartsctl.alerts.outbox import Outbox
from dartsctl.alerts.state import State
from dartsctl.alerts.step import step
from dartsctl.workflows.watch.known import Known
from dartsctl.workflows.watch.signals import LookWanted, Note, Noticed, Observed, Seen, Sent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dartsctl.alerts.observations import Observation
    from dartsctl.alerts.rules import Rules
    from dartsctl.workflows.watch.build_view import ViewBoard
    from dartsctl.workflows.watch.delivery import Delivery
    from dartsctl.workflows.watch.heartbeat import Heartbeat
    from dartsctl.workflows.watch.saving import Saver
    from dartsctl.workflows.watch.signals import Emit, Output, Signal, Source

_TICK = 1.0
"""Seconds between two ticks."""
_MOST_IN_A_TURN = 100
"""Signals of a flood that are handled before what is due is saved and sent."""
_LAST_REPORTS = 1.0
"""Seconds that the end waits for messages that are being sent."""


class Watcher:
    """Everything between the sources and the outputs, without threads: `handle` is called in order.

    A recording can be replayed through it with another clock.
    """

    def __init__(
        self,
        outputs: Sequence[Output],
        *,
        rules: Rules,
        clock: Callable[[], float],
        board: ViewBoard,
        want_look: Callable[[str], None],
        state: State | None = None,
        known: Known | None = None,
        delivery: Delivery | None = None,
        heartbeat: Heartbeat | None = None,
        saver: Saver | None = None,
        jumped: Callable[[], float] = lambda: 0.0,
        record: Callable[[Signal, float], None] | None = None,
    ) -> None:
        """`known`: learns each new state, for the sources. `want_look` takes the reason.

        `jumped`: by how many seconds `clock` was just set forward. `record` gets every signal with
        its time.
        """
        self.state = state or State()
        self._known = known or Known()
        self._known.state = self.state
        self._board = board
        self._want_look = want_look
        self._outputs = outputs
        self._delivery = delivery
        self._heartbeat = heartbeat
        self._saver = saver
        self._jumped = jumped
        self._record = record
        self._rules = rules
        self._look_due = 0.0
        self._waiting: Mapping[str, int] = {}
        self._clock = clock

    def handle(self, signal: Signal) -> None:
        """Handle one signal."""
        if self._record:
            self._record(signal, self._clock())
        match signal:
            case Observed(observation, when):
                self._observe(observation, min(when, self._clock()))
            case Noticed():
                for output in self._outputs:
                    output.noticed(signal)
            case LookWanted(reason):
                self._want_look(reason)
            case Note():
                for output in self._outputs:
                    output.note(signal)
            case Sent():
                self._take_report(signal)
            case Seen():
                self._board.take(signal)
                self._show()

    def tick(self) -> None:
        """Let time pass. Ask for a look where it would open or close an episode."""
        jump = self._jumped()
        now = self._clock()
        if jump:
            self.handle(Observed(ClockJumped(jump), now))
        self._observe(Tick(), now)
        due = look_due(self.state, self._rules)
        if due <= now and due != self._look_due:
            self._look_due = due
            self._want_look("an episode is about to change")
        self._show()

    def end_turn(self, emit: Emit, *, is_alive: bool = True) -> None:
        """Save what has changed, send what is due, and let the heartbeat know that we work.

        `is_alive`: False while a look does not end.
        """
        self._save()
        self._send(emit)
        if self._heartbeat and is_alive:
            self._heartbeat.turned()

    def begin(self, note: str = "") -> None:
        """Say what there is to say about what the last watch has left; `note` is about its file."""
        self._note(note, self._clock())
        if self._delivery:
            for text in self._delivery.begin_notes():
                self._note(text, self._clock())

    def close(self) -> None:
        """Save everything at the end."""
        if self._saver:
            now = self._clock()
            self._note(self._saver.save_now(self.state, self._outbox, now), now)

    def finish_sending(self, signals: queue.SimpleQueue[Signal]) -> None:
        """Take the reports of what is being sent, so that the next watch does not repeat it."""
        until = time.monotonic() + _LAST_REPORTS
        while self._delivery and self._delivery.is_sending:
            left = until - time.monotonic()
            if left <= 0:  # the sources may still fill the queue
                return
            try:
                signal = signals.get(timeout=left)
            except queue.Empty:
                return
            if isinstance(signal, Sent):
                self._take_report(signal)

    def _save(self, *, at_once: bool = False) -> None:
        if self._saver:
            now = self._clock()
            note = self._saver.save(self.state, self._outbox, now, at_once=at_once)
            self._note(note, now)

    def _send(self, emit: Emit) -> None:
        if self._delivery is None:
            return
        self._delivery.start_due(self._clock(), emit)
        waiting = self._delivery.waiting()
        if waiting != self._waiting:
            self._waiting = waiting
            self.handle(Seen(waiting=waiting))

    @property
    def _outbox(self) -> Outbox:
        if self._delivery is None:
            return Outbox()
        return self._delivery.outbox

    def _note(self, text: str, now: float) -> None:
        if text:
            self.handle(Note(text, now))

    def _show(self) -> None:
        view = self._board.view(self._clock())
        for output in self._outputs:
            output.view(view)

    def _take_report(self, report: Sent) -> None:
        if self._delivery is None:
            return
        now = self._clock()
        for text in self._delivery.sent(report, now):
            self._note(text, now)

    def _observe(self, observation: Observation, when: float) -> None:
        self.state, messages = step(self.state, observation, when, self._rules)
        self._known.state = self.state
        for message in messages:
            if self._delivery:
                self._delivery.queue(message)
        if messages:  # a watch that is killed after it has shown one does not show it again
            self._save(at_once=True)
        for message in messages:
            for output in self._outputs:
                output.message(message)
        if isinstance(observation, Started):  # a look before it saw what was there before
            self._want_look(f"{observation.service} was started")


def run(
    watcher: Watcher,
    sources: Sequence[Source],
    *,
    stop: threading.Event,
    is_alive: Callable[[], bool] = lambda: True,
) -> None:
    """Run the sources, each in its own thread, and the loop, until `stop` is set.

    `is_alive`: whether the sources do what they should.
    """
    signals: queue.SimpleQueue[Signal] = queue.SimpleQueue()
    for source in sources:
        threading.Thread(
            target=source.run, args=(signals.put, stop), name=source.name, daemon=True
        ).start()
    next_tick = 0.0
    while not stop.is_set():
        _handle_waiting(watcher, signals, next_tick - time.monotonic())
        if time.monotonic() >= next_tick:
            next_tick = time.monotonic() + _TICK
            watcher.tick()
        watcher.end_turn(signals.put, is_alive=is_alive())
    watcher.finish_sending(signals)


def _handle_waiting(
    watcher: Watcher, signals: queue.SimpleQueue[Signal], longest_wait: float
) -> None:
    """Handle what is on the queue, at most a turn's worth; wait for the first signal."""
    with suppress(queue.Empty):
        watcher.handle(signals.get(timeout=max(0.0, longest_wait)))
        for _ in range(_MOST_IN_A_TURN - 1):
            watcher.handle(signals.get_nowait())
