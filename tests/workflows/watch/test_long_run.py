"""A day in fast motion, and a flood of events, through the real Watcher."""

from __future__ import annotations

import gc
import random
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from dartsctl.alerts.observations import (
    ClockJumped,
    Exited,
    Looked,
    Observation,
    Silence,
    Silenced,
    Started,
    WorkBegan,
    WorkEnded,
)
from dartsctl.alerts.problem import Problem, Subject
from dartsctl.alerts.rules import Rules
from dartsctl.alerts.state import Message
from dartsctl.workflows.watch.signals import LookWanted, Noticed, Observed, Signal
from fakes.alerting import KINDS, START, a_problem, service
from fakes.replaying import Kept, Replayed

pytestmark = pytest.mark.once

HOUR = 3600.0
NAMES = tuple(f"service-{number}" for number in range(10))
Timed = tuple[float, Signal]


class Balance(Kept):
    """An output that remembers only what is open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: set[str] = set()
        self.counts: Counter[str] = Counter()

    def noticed(self, noticed: Noticed) -> None:
        self.counts[noticed.source] += 1

    def message(self, message: Message) -> None:
        self.counts[message.occasion] += 1
        if message.occasion == "opened":
            self.open.add(message.episode.id)
        elif message.occasion == "recovered":
            self.open.discard(message.episode.id)
        elif message.occasion != "summary":
            assert message.episode.id in self.open


class Day:
    """What happens to a stack of ten services in some hours. The same for the same seed."""

    def __init__(self, seed: int, hours: float) -> None:
        self._random = random.Random(seed)
        self._until = START + hours * HOUR
        self._now = START
        self._bad: dict[Subject, Problem] = {}
        self._ends: dict[Subject, float] = {}

    def signals(self) -> Iterator[Timed]:
        while self._now < self._until:
            self._now += self._random.uniform(5, 20)
            self._heal()
            yield from self._happening()
            yield self._at(Looked(tuple(self._bad.values()), KINDS))
        self._bad.clear()
        for _ in range(60):
            self._now += 15
            yield self._at(Looked((), KINDS))

    def _at(self, observation: Observation) -> Timed:
        return self._now, Observed(observation, self._now)

    def _heal(self) -> None:
        for subject, until in list(self._ends.items()):
            if self._now >= until:
                del self._ends[subject]
                self._bad.pop(subject, None)

    def _break(self, problem: Problem) -> None:
        self._bad[problem.subject] = problem
        self._ends[problem.subject] = self._now + self._random.choice((30, 90, 600, 4000))

    def _happening(self) -> Iterator[Timed]:
        name = self._random.choice(NAMES)
        dice = self._random.random()
        if dice < 0.02:
            yield from self._crash(name)
        elif dice < 0.03:
            cause = self._random.choice(("unhealthy", "no-ports", "no-answer"))
            self._break(a_problem(name, cause, affected=tuple(self._random.sample(NAMES, 2))))
        elif dice < 0.035:
            self._break(a_problem(Subject("port", "5000/tcp"), "port-squatter"))
        elif dice < 0.04:
            yield from self._deploy()
        elif dice < 0.045:
            yield self._at(Silenced((Silence(service(name), self._now + 900),)))
        elif dice < 0.046:
            jump = self._random.choice((-40.0, 7200.0))
            self._now += jump
            self._until += jump
            self._ends = {subject: until + jump for subject, until in self._ends.items()}
            yield self._at(ClockJumped(jump))

    def _crash(self, name: str) -> Iterator[Timed]:
        problem = a_problem(name, "app-exited", sentence=f"{name} ended with exit code 1")
        for _ in range(self._random.choice((1, 1, 5))):
            yield self._now, Noticed("events", name, "died", self._now)
            yield self._now, LookWanted(f"{name} died")
            yield self._at(Exited(name, f"{name}-1", problem, comes_back=True))
            yield self._at(Started(name, f"{name}-1"))
            self._now += 0.5

    def _deploy(self) -> Iterator[Timed]:
        yield self._at(WorkBegan("up"))
        for name in NAMES:
            stop = a_problem(name, "app-exited")
            yield self._at(Exited(name, f"{name}-1", stop, planned=True))
        self._now += 8
        for name in NAMES:
            yield self._at(Started(name, f"{name}-1"))
        yield self._at(WorkEnded("up"))


def test_a_day_loses_no_episode_and_keeps_no_memory() -> None:
    output = Balance()
    watch = Replayed(Rules(remind=HOUR, escalate_after=1800), output=output)
    watch.recording = Nothing()
    watch.restart()
    day = Day(seed=7, hours=24)
    sizes: list[int] = []
    for number, signal in enumerate(day.signals()):
        watch.run([signal])
        watch.wanted.clear()
        if number % 500 == 499:
            gc.collect()
            sizes.append(sys.getallocatedblocks())
    watch.finish()
    assert output.open == set()
    assert watch.watcher.state.episodes == {}
    assert output.counts["opened"] > 50
    middle = len(sizes) // 2
    assert max(sizes[middle:]) < max(sizes[1:middle]) + 2_000, sizes


class Nothing(list[str]):
    """A recording that nobody keeps."""

    def append(self, line: str, /) -> None:
        del line


def a_flood(count: int, services: int, *, seconds: float = 1.0) -> list[Timed]:
    """Return exits and starts of several services within a second."""
    signals: list[Timed] = []
    for number in range(count // 2):
        now = START + 10 + seconds * number / (count // 2)
        name = f"service-{number % services}"
        problem = a_problem(name, "app-exited", sentence=f"{name} ended with exit code 1")
        signals.append((now, Observed(Exited(name, name, problem, comes_back=True), now)))
        signals.append((now, Observed(Started(name, name), now)))
    return signals


def test_ten_thousand_events_are_one_summary() -> None:
    watch = Replayed().run(a_flood(10_000, services=40))
    watch.run([(START + 17, Observed(Looked((), KINDS), START + 17))])
    loud = [message.occasion for message in watch.messages if not message.muted]
    assert loud == ["summary"]
    assert len(watch.messages[-1].episodes) == 40
    assert watch.file.saves < 20


def test_ten_thousand_events_of_one_service_are_one_alert() -> None:
    watch = Replayed().run(a_flood(10_000, services=1))
    watch.finish()
    assert [message.occasion for message in watch.messages] == ["opened"]
    assert watch.messages[0].episode.problem.cause == "crash-loop"


def test_the_work_for_an_event_does_not_grow_with_the_flood() -> None:
    """Calls of functions, not seconds: a loaded machine has all the time it wants.

    A million of them take less than half a second, so that no backlog grows.
    """
    few, many = calls_for(a_flood(1_000, services=40)), calls_for(a_flood(10_000, services=40))
    assert many < 11 * few
    assert many < 1_500_000


def test_the_work_for_an_event_hardly_grows_with_the_open_episodes() -> None:
    few = calls_for(a_flood(2_000, services=10))
    many = calls_for(a_flood(2_000, services=400))
    assert many < 3 * few


def calls_for(signals: list[Timed]) -> int:
    """Return how many functions are called for these signals, without the recording."""
    watch = Replayed()
    watch.recording = Nothing()
    watch.restart()
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        watch.run(signals)
    finally:
        sys.setprofile(before)
    return calls
