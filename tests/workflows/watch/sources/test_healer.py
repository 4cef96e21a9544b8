"""When `--heal` examines a stack, and when it leaves it alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dartsctl.alerts.state import Episode, State, Work
from dartsctl.config.settings import WatchSettings
from dartsctl.diagnosis.facts import Commands
from dartsctl.errors import DockerUnavailable
from dartsctl.workflows.examine.probes import ExamineRequest
from dartsctl.workflows.watch.known import Known
from dartsctl.workflows.watch.request import WatchRequest
from dartsctl.workflows.watch.signals import Signal
from dartsctl.workflows.watch.sources import healer
from fakes.alerting import a_problem
from fakes.deps import FakeClock, fake_deps
from fakes.preflights import ENVIRONMENT

OPEN = Episode("service:app@1", a_problem(), 900.0, phase="open", opened=920.0)


class Stack:
    """A stack with an alert, on an engine that does not answer, and how often it was asked."""

    def __init__(self, state: Path, *, heal: bool = True) -> None:
        self.clock = FakeClock(1000.0)
        self.asked = 0
        self.known = Known()
        self.known.state = State(episodes={OPEN.subject: OPEN})
        deps = fake_deps(state, self.clock, engine=self.engine)
        settings = WatchSettings(heal=heal)
        request = WatchRequest(ExamineRequest(ENVIRONMENT, Commands()), settings, lambda: request)
        self.source = healer.make(request, self.known, deps)
        self.said: list[Signal] = []

    def engine(self, **_: Any) -> None:
        self.asked += 1
        raise DockerUnavailable("no engine answers")

    def turn(self, after: float = 0.0) -> int:
        """Return how often the engine was asked in a turn so many seconds later."""
        self.clock.seconds += after
        before = self.asked
        assert self.source is not None
        self.source.turn(self.said.append)
        return self.asked - before


def test_nothing_is_healed_that_was_not_asked_for(tmp_path: Path) -> None:
    assert Stack(tmp_path, heal=False).source is None


def test_where_nothing_could_be_done_it_looks_again_later_and_says_nothing(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    assert stack.turn() > 0
    assert stack.turn(14.9) == 0
    assert stack.turn(0.1) > 0
    assert stack.said == []


@pytest.mark.parametrize("state", [State(), State(episodes={OPEN.subject: OPEN}, work=Work("up"))])
def test_without_an_alert_and_during_a_verb_nothing_is_examined(
    tmp_path: Path, state: State
) -> None:
    stack = Stack(tmp_path)
    stack.known.state = state
    assert stack.turn() == 0
