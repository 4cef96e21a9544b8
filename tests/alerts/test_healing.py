"""When `watch --heal` tries to repair a service."""

from __future__ import annotations

import pytest

from dartsctl.alerts.healing import PAUSES, Attempts, services_to_heal, still_counted
from dartsctl.alerts.problem import Problem, Subject
from dartsctl.alerts.state import Episode, Phase, State, Work
from dartsctl.records import replace

NOW = 1_000_000.0


def state(phase: Phase = "open", *, acknowledged: bool = False) -> State:
    """Return a state with one open alert about the service app."""
    subject = Subject("service", "app")
    problem = Problem(subject, "app-exited", "app has ended")
    episode = Episode("app@1", problem, began=NOW, phase=phase, acknowledged=acknowledged)
    return State(episodes={subject: episode})


def test_an_open_alert_about_a_service_is_due_at_once() -> None:
    assert services_to_heal(state(), {}, NOW) == {"app"}


@pytest.mark.parametrize(
    "state",
    [
        state(phase="pending"),
        state(phase="closing"),
        state(acknowledged=True),
        replace(state(), work=Work("up")),
    ],
    ids=["suspected", "recovering", "acknowledged", "a verb works"],
)
def test_nothing_is_done_where_it_may_be_meant(state: State) -> None:
    assert services_to_heal(state, {}, NOW) == frozenset()


def test_pauses_grow_and_end() -> None:
    attempts, now = Attempts(), NOW
    for pause in PAUSES:
        assert services_to_heal(state(), {"app": attempts}, now + pause - 0.1) == (
            frozenset() if pause else {"app"}
        )
        now += pause
        assert services_to_heal(state(), {"app": attempts}, now) == {"app"}
        attempts = attempts.after(now)
    assert attempts.is_last
    assert services_to_heal(state(), {"app": attempts}, now + 1000) == frozenset()


def test_attempts_are_counted_anew_after_an_hour() -> None:
    attempts = {"app": Attempts(4, NOW)}
    assert still_counted(attempts, NOW + 3599) == attempts
    assert still_counted(attempts, NOW + 3600) == {}
