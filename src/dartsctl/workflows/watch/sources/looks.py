"""The looks: light ones on an interval, full ones when something differs or is wanted."""

from __future__ import annotations

import queue
import random
import threading
from typing import TYPE_CHECKING, Protocol

from dartsctl.alerts.look_schedule import LookSchedule, LookTimes, attention_for
from dartsctl.alerts.observations import Looked
from dartsctl.records import field, record
from dartsctl.workflows.watch.signals import Note, Observed

if TYPE_CHECKING:
    from collections.abc import Callable

    from dartsctl.alerts.glance import Glance
    from dartsctl.workflows.watch.known import Known
    from dartsctl.workflows.watch.look import LookResult
    from dartsctl.workflows.watch.signals import Emit, Seen

_MOST_ABANDONED = 3
"""Full looks that may hang at once."""


class Eyes(Protocol):
    """What looks at the stack. Neither method raises."""

    def look(self) -> LookResult:
        """Examine everything."""

    def glance(self) -> Glance:
        """Read what shows that something has changed, in a few milliseconds."""

    def seen(self, glance: Glance) -> Seen:
        """Return what a light look says for the screen."""


@record(frozen=False)
class _FullLook:
    number: int
    began: float
    is_late: bool = False


@record(frozen=False)
class Looks:
    """A `Source`. One full look at a time, in a thread of its own.

    `clock` is the watch's clock (Unix time), `monotonic` is for pauses.
    """

    eyes: Eyes
    known: Known
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    times: LookTimes = field(default_factory=LookTimes)
    jitter: Callable[[], float] = random.random  # noqa: S311 - only a pause
    name: str = "looks"
    _wake: threading.Event = field(default_factory=threading.Event)
    _wanted: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)
    _results: queue.SimpleQueue[tuple[_FullLook, LookResult]] = field(
        default_factory=queue.SimpleQueue
    )
    _running: list[_FullLook] = field(default_factory=list)
    _begun: int = 0
    _said: tuple[str, ...] = ()
    """What the last look could not check: it is said once."""
    _last: Glance | None = None

    def want(self, reason: str) -> None:
        """Look as soon as the pauses allow. Never blocks; several become one look."""
        self._wanted.put(reason)
        self._wake.set()

    def is_alive(self) -> bool:
        """Whether the latest full look has ended, or may still end."""
        running = list(self._running)
        return not running or self.monotonic() - running[-1].began < self.times.abandon

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Look until `stop` is set."""
        schedule = LookSchedule(self.times, self.jitter)
        while not stop.is_set():
            self.turn(schedule, emit)
            due = min(schedule.light_due(), schedule.full_due())
            self._wake.wait(min(1.0, max(0.05, due - self.monotonic())))
            self._wake.clear()

    def turn(self, schedule: LookSchedule, emit: Emit) -> None:
        """Do what is due now: take results, glance, begin a full look."""
        episodes = self.known.state.episodes.values()
        schedule.attention = attention_for(episodes, self.clock(), self.times.new)
        while not self._wanted.empty():
            schedule.want(self._wanted.get())
        while not self._results.empty():
            self._take(*self._results.get(), schedule, emit)
        now = self.monotonic()
        if now >= schedule.light_due():
            schedule.light_begins(now)
            self._glance(schedule, emit)
        self._watch_deadline(now, emit)
        if now >= schedule.full_due() and self._may_begin(now):
            schedule.full_begins(now)
            self._begin(now)

    def _glance(self, schedule: LookSchedule, emit: Emit) -> None:
        glance = self.eyes.glance()
        if self._last is not None and (change := glance.change_since(self._last)):
            schedule.want(change)
        self._last = glance
        emit(self.eyes.seen(glance))

    def _may_begin(self, now: float) -> bool:
        """Whether no full look runs; one that hangs for long does not count."""
        if len(self._running) >= _MOST_ABANDONED:
            return False
        return all(now - look.began >= self.times.abandon for look in self._running)

    def _begin(self, now: float) -> None:
        self._begun += 1
        look = _FullLook(self._begun, now)
        self._running.append(look)

        def work() -> None:
            result = self.eyes.look()
            self._results.put((look, result))
            self._wake.set()

        threading.Thread(target=work, name="look", daemon=True).start()

    def _watch_deadline(self, now: float, emit: Emit) -> None:
        for look in self._running:
            if not look.is_late and now - look.began >= self.times.deadline:
                look.is_late = True
                text = f"a look at the stack takes longer than {self.times.deadline:.0f} s"
                emit(Note(f"{text}; what is wrong now is not known", self.clock()))

    def _take(
        self, look: _FullLook, result: LookResult, schedule: LookSchedule, emit: Emit
    ) -> None:
        """Pass a result on, unless a later look has begun meanwhile."""
        self._running.remove(look)
        if look.number != self._begun:
            return
        schedule.full_ended(self.monotonic(), result.pause)
        emit(result.seen)
        for note in result.notes:
            if note not in self._said:
                emit(Note(note, self.clock()))
        self._said = result.notes
        emit(Observed(Looked(result.problems, result.covers), self.clock()))
