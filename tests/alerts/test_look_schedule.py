"""When looks are due."""

from __future__ import annotations

import pytest

from dartsctl.alerts.look_schedule import LookSchedule, LookTimes, attention_for
from dartsctl.alerts.problem import Problem, Subject
from dartsctl.alerts.state import Episode, Phase
from dartsctl.records import replace

TIMES = LookTimes(light=15, full=300, attentive=4, shortest=2, jitter=0.1)


def schedule(chance: float = 0.0) -> LookSchedule:
    """Return a schedule whose first full look began at 100 and has ended."""
    plan = LookSchedule(TIMES, lambda: chance)
    assert plan.full_due() == plan.light_due() == 0.0
    plan.light_begins(100.0)
    plan.full_begins(100.0)
    plan.full_ended(101.0, 0.0)
    return plan


def test_nothing_new_lets_a_full_look_wait() -> None:
    assert schedule().full_due() == 400.0
    assert schedule().light_due() == 115.0


def test_episodes_make_looks_frequent() -> None:
    plan = schedule()
    plan.attention = "high"
    assert plan.full_due() == 104.0
    plan.attention = "low"
    assert plan.full_due() == 130.0
    plan.times = replace(TIMES, full=10)
    assert plan.full_due() == 110.0


def test_what_is_wanted_comes_at_once_and_several_become_one() -> None:
    plan = schedule()
    plan.want("app is exited")
    plan.want("app is exited")
    plan.want("db is exited")
    assert plan.full_due() == 102.0
    plan.full_begins(150.0)
    assert plan.wanted == ()
    assert plan.full_due() == 450.0


def test_what_was_wanted_while_a_look_ran_gets_a_look_of_its_own() -> None:
    plan = schedule()
    plan.full_begins(200.0)
    plan.want("app is exited")
    plan.full_ended(201.0, 0.0)
    assert plan.full_due() == 202.0


def test_the_limits_of_the_site_come_first() -> None:
    plan = schedule()
    plan.attention = "high"
    plan.want("app is exited")
    plan.full_begins(200.0)
    plan.full_ended(203.0, 60.0)
    plan.want("app is exited")
    assert plan.full_due() == 263.0


def test_a_limit_of_hours_does_not_stop_the_looks() -> None:
    plan = schedule()
    plan.full_ended(200.0, 86400.0)
    assert plan.full_due() == 500.0


def test_pauses_differ_by_chance() -> None:
    assert schedule(0.0).full_due() == 400.0
    assert schedule(1.0).full_due() == 370.0


@pytest.mark.parametrize(
    ("rows", "attention"),
    [
        ((), "none"),
        ((("pending", None),), "high"),
        ((("open", 900.0),), "high"),
        ((("open", 300.0),), "low"),
        ((("open", 300.0), ("closing", 300.0)), "high"),
        ((("open", 300.0), ("open", 999.0)), "high"),
    ],
)
def test_long_open_episodes_need_less_attention(
    rows: tuple[tuple[Phase, float | None], ...], attention: str
) -> None:
    problem = Problem(Subject("service", "app"), "app-exited", "app has ended")
    episodes = [
        Episode("1", problem, began=0.0, phase=phase, opened=opened) for phase, opened in rows
    ]
    assert attention_for(episodes, 1000.0, 600.0) == attention
