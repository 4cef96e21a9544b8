"""The source of looks: one full look at a time, and one that hangs stops nothing."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dartsctl.alerts.glance import Glance
from dartsctl.alerts.look_schedule import LookSchedule, LookTimes
from dartsctl.alerts.observations import Looked
from dartsctl.alerts.problem import Problem, Subject
from dartsctl.alerts.state import Episode, State
from dartsctl.records import replace
from dartsctl.workflows.watch.known import Known
from dartsctl.workflows.watch.look import LookResult
from dartsctl.workflows.watch.signals import Note, Observed, Seen, Signal
from dartsctl.workflows.watch.sources.looks import Looks
from fakes.deps import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

PROBLEM = Problem(Subject("service", "app"), "app-exited", "app has ended")
RESULT = LookResult((PROBLEM,), frozenset(("service",)), pause=0.0)


@dataclass
class FakeEyes:
    """Full looks that last until `finish` is called, and glances that a test sets."""

    glances: list[Glance] = field(default_factory=lambda: [Glance()])
    started: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    may_end: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    looks: int = 0
    result: LookResult = RESULT

    def look(self) -> LookResult:
        self.looks += 1
        self.started.release()
        self.may_end.acquire()
        return self.result

    def glance(self) -> Glance:
        if len(self.glances) > 1:
            return self.glances.pop(0)
        return self.glances[0]

    def seen(self, glance: Glance) -> Seen:
        return Seen(engine=glance.problem)


class Case:
    """The looks with a clock that the test moves; `signals` are what they put on the queue."""

    def __init__(self, *glances: Glance) -> None:
        self.clock = FakeClock(1000.0)
        self.eyes = FakeEyes(list(glances) or [Glance()])
        self.known = Known()
        times = LookTimes(light=15, full=300, attentive=4, jitter=0.0)
        self.looks = Looks(self.eyes, self.known, self.clock.now, self.clock.now, times)
        self.schedule = LookSchedule(times, lambda: 0.5)
        self.signals: list[Signal] = []

    def turn(self, seconds: float = 0.0) -> None:
        self.clock.seconds += seconds
        self.looks.turn(self.schedule, self.signals.append)

    def finish(self) -> None:
        """Let the look end, and take its result."""
        self.eyes.started.acquire()
        before = len(self.observed)
        self.eyes.may_end.release()
        self.until(lambda: len(self.observed) > before)

    def until(self, is_so: Callable[[], bool]) -> None:
        ready = threading.Event()
        while not is_so():
            self.turn()
            ready.wait(0.01)

    @property
    def observed(self) -> list[Looked]:
        rows = [signal for signal in self.signals if isinstance(signal, Observed)]
        return [row.observation for row in rows if isinstance(row.observation, Looked)]

    @property
    def notes(self) -> list[str]:
        return [signal.text for signal in self.signals if isinstance(signal, Note)]


def test_the_first_turn_looks_and_its_result_is_observed() -> None:
    case = Case()
    case.turn()
    case.finish()
    assert case.observed == [Looked((PROBLEM,), frozenset(("service",)))]
    case.turn(299)
    assert case.eyes.looks == 1
    case.turn(2)
    case.finish()
    assert case.eyes.looks == 2


def test_a_difference_in_a_light_look_wants_a_full_one() -> None:
    case = Case(Glance(), Glance(), Glance(problem="the engine is gone"))
    case.turn()
    case.finish()
    case.turn(15)
    assert case.eyes.looks == 1
    case.turn(15)
    case.finish()
    assert case.eyes.looks == 2


def test_wishes_during_a_look_become_one_look_after_it() -> None:
    case = Case()
    case.turn()
    for service in ("app", "db", "app"):
        case.looks.want(f"{service} is exited")
    case.turn(5)
    assert case.eyes.looks == 1
    case.finish()
    case.turn(2)
    case.finish()
    assert case.eyes.looks == 2
    case.turn(5)
    assert case.eyes.looks == 2


def test_an_episode_makes_looks_frequent() -> None:
    case = Case()
    case.turn()
    case.finish()
    case.known.state = State(episodes={PROBLEM.subject: Episode("1", PROBLEM, 1000.0)})
    case.turn(5)
    case.finish()
    assert case.eyes.looks == 2


def test_a_look_that_hangs_is_said_once_and_another_one_comes_later() -> None:
    case = Case()
    case.turn()
    case.eyes.started.acquire()
    case.turn(29)
    assert case.notes == []
    case.turn(2)
    case.turn(2)
    expected = "a look at the stack takes longer than 30 s; what is wrong now is not known"
    assert case.notes == [expected]
    assert case.eyes.looks == 1
    case.turn(300)
    case.eyes.started.acquire()
    assert case.eyes.looks == 2
    case.eyes.may_end.release(2)
    case.until(lambda: bool(case.observed))
    assert len(case.observed) == 1


def test_what_could_not_be_checked_is_said_once() -> None:
    case = Case()
    case.eyes.result = replace(RESULT, notes=("the sockets cannot be read",))
    for _ in range(2):
        case.turn(300)
        case.finish()
    assert case.notes == ["the sockets cannot be read"]


def test_a_late_result_counts_if_no_other_look_has_begun() -> None:
    case = Case()
    case.turn()
    case.turn(60)
    case.finish()
    assert len(case.observed) == 1


def test_it_ends_when_it_is_told_to() -> None:
    case = Case()
    case.eyes.may_end.release(10)
    stop = threading.Event()
    thread = threading.Thread(target=case.looks.run, args=(case.signals.append, stop))
    thread.start()
    case.eyes.started.acquire()
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
