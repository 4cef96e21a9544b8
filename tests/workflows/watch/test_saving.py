"""When a watch saves what it knows, and how a loaded state goes on."""

from __future__ import annotations

from typing import Any

import pytest

from dartsctl.alerts.notice import Notice
from dartsctl.alerts.observations import Silence, WorkBegan
from dartsctl.alerts.outbox import Outbox, Waiting
from dartsctl.alerts.state import Episode, State, Work
from dartsctl.records import replace
from dartsctl.workflows.watch.saving import Saver, resumed
from fakes.alerting import START, Alerting, a_problem, service

MESSAGE = Waiting(
    "notify a", "service:app@1", "opened", Notice("1", "failure", "t", "b", "s"), 1.0, 1.0
)


class File:
    """A file that counts how often it is written."""

    def __init__(self) -> None:
        self.states: list[State] = []
        self.fails = False

    def save(self, state: State, outbox: Outbox) -> str:
        del outbox
        self.states.append(state)
        return ""


def a_state(name: str = "") -> State:
    return State(stopped=frozenset((name,)), now=START)


def test_a_message_is_saved_at_once() -> None:
    file = File()
    saver = Saver(file, State(), Outbox())
    saver.save(a_state("a"), Outbox(), START)
    saver.save(a_state("a"), Outbox((MESSAGE,)), START + 0.01)
    saver.save(a_state("a"), Outbox(), START + 0.02)
    assert len(file.states) == 3


def test_a_flood_that_sends_nothing_is_saved_once_a_second() -> None:
    file = File()
    saver = Saver(file, State(), Outbox())
    for number in range(10_000):
        saver.save(a_state(str(number)), Outbox(), START + number / 2500)
    assert len(file.states) == 4


def test_what_has_not_changed_is_not_saved_but_its_time_is_now_and_then() -> None:
    file = File()
    saver = Saver(file, a_state(), Outbox())
    for second in range(100):
        saver.save(replace(a_state(), now=START + second), Outbox(), START + second)
    assert len(file.states) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"episodes": {service("app"): Episode("service:app@1", a_problem(), START)}},
        {"work": Work("up")},
        {"silences": (Silence(None, START + 60),)},
        {"stamp": 5},
        {"followed": {service("app"): START}},
    ],
)
def test_every_change_that_a_restart_must_know_is_saved(change: dict[str, Any]) -> None:
    file = File()
    changed = replace(a_state(), **change)
    Saver(file, a_state(), Outbox()).save(changed, Outbox(), START + 2)
    assert file.states == [changed]


def test_a_file_that_cannot_be_written_is_tried_again_but_not_all_the_time() -> None:
    file = File()
    saver = Saver(file, State(), Outbox())
    file.fails = True
    for tenth in range(600):
        now = START + tenth / 10
        saver.save(a_state(str(tenth)), Outbox((MESSAGE,)), now, at_once=tenth % 2 == 0)
    assert len(file.states) == 6


def test_a_clock_that_is_set_back_does_not_keep_changes_from_being_saved() -> None:
    file = File()
    saver = Saver(file, State(), Outbox())
    saver.save(a_state("a"), Outbox(), START)
    saver.save(a_state("b"), Outbox(), START - 5000)
    assert len(file.states) == 2


def test_work_that_may_have_ended_meanwhile_plans_nothing() -> None:
    watch = Alerting()
    watch.observe(WorkBegan("up"))
    assert resumed(watch.state, watch.now).verb == ""


def test_a_state_from_the_future_goes_on_now() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=60)
    watch.state = resumed(watch.state, watch.now - 10**8)
    watch.now -= 10**8
    watch.keep_looking(seconds=60)
    assert watch.loud() == ["opened app: unhealthy", "recovered app: unhealthy"]
