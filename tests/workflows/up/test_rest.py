"""The pause in a wait: the engine's events end it, and without them it is slept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from dartsctl.alerts.container_life import ContainerEvent
from dartsctl.errors import DockerUnavailable
from dartsctl.workflows.up.rest import Rest
from fakes.deps import FakeClock, fake_deps

HEALTHY = ContainerEvent("health_status", "1", "demo-web-1", "web", nano=1, health="healthy")

Answer = tuple[ContainerEvent, ...] | DockerUnavailable | None


@dataclass
class EventsOfOne:
    """An engine whose events are `answers`, one for each question; silent after them."""

    clock: FakeClock
    answers: Iterator[Answer]
    opened: list[str] = field(default_factory=list)
    is_closed: bool = False

    def control(self) -> Any:
        return self

    def events(self, project: str, _recent: object) -> Any:
        self.opened.append(project)
        return self

    def read(self, timeout: float) -> tuple[ContainerEvent, ...] | None:
        answer = next(self.answers, ())
        if isinstance(answer, DockerUnavailable):
            raise answer
        if answer == ():
            self.clock.sleep(timeout)
        return answer

    def close(self) -> None:
        self.is_closed = True


Resting = Callable[..., tuple[Rest, EventsOfOne]]


@pytest.fixture
def resting(tmp_path: Path) -> Resting:
    def make(*answers: Answer) -> tuple[Rest, EventsOfOne]:
        clock = FakeClock()
        engine = EventsOfOne(clock, iter(answers))
        return Rest(cast(Any, engine), "demo", fake_deps(tmp_path, clock)), engine

    return make


def test_an_event_ends_a_pause_at_once(resting: Resting) -> None:
    pause, engine = resting((HEALTHY,))
    pause.rest(10)
    assert engine.clock.now() < 0.1
    assert engine.opened == ["demo"]


def test_a_pause_without_events_is_as_long_as_asked(resting: Resting) -> None:
    pause, engine = resting()
    pause.rest(0.25)
    pause.rest(0.25)
    assert (engine.clock.now(), engine.opened) == (0.5, ["demo"])


def test_a_pause_ends_when_the_next_container_has_settled(resting: Resting) -> None:
    pause, engine = resting()
    pause.rest(10, until=0.2)
    assert engine.clock.now() == 0.2
    pause.rest(10, until=0.1)
    assert 0.2 < engine.clock.now() < 0.3, "a moment that has passed ends it at once"


@pytest.mark.parametrize("end", [None, DockerUnavailable("a flood")], ids=["ended", "broken"])
def test_a_stream_that_is_over_is_closed_and_later_pauses_are_slept(
    resting: Resting, end: Answer
) -> None:
    pause, engine = resting(end, (HEALTHY,))
    pause.rest(10)
    assert engine.is_closed
    began = engine.clock.now()
    pause.rest(10)
    assert engine.clock.now() == began + 10
    assert engine.opened == ["demo"], "asked for once"


@dataclass
class Eventless:
    """An engine without events: it can only be listed, or it has none to give."""

    is_remote: bool

    def control(self) -> Any:
        return None if self.is_remote else self

    def events(self, _project: str, _recent: object) -> Any:
        raise DockerUnavailable("no stream")


@pytest.mark.parametrize("is_remote", [True, False])
def test_without_events_it_is_slept(tmp_path: Path, is_remote: bool) -> None:
    clock = FakeClock()
    engine: Any = Eventless(is_remote)
    Rest(engine, "demo", fake_deps(tmp_path, clock)).rest(10)
    assert clock.now() == 10
