"""What had ended before the watch began may have been stopped on purpose."""

from __future__ import annotations

from typing import Any

import pytest

from dartsctl.alerts.problem import Problem
from dartsctl.alerts.problems.of_finding import problems_of
from dartsctl.alerts.problems.stopped_before import excused
from dartsctl.alerts.state import Episode
from dartsctl.diagnosis.diagnose import diagnose
from dartsctl.diagnosis.facts import EngineFacts
from dartsctl.records import replace
from fakes.stack_facts import NOW, container, facts, service

ENDED: dict[str, Any] = {"state": "exited", "exit_code": 143, "finished": NOW - 60}


def problem(began: float | None = NOW, episode: Episode | None = None, **more: Any) -> Problem:
    now = facts(service("app", container("app", **(ENDED | more))))
    (problem,) = problems_of(diagnose(now).findings, now)
    return excused(problem, now, began, episode)


@pytest.mark.parametrize("code", [130, 137, 143])
def test_a_service_that_ended_as_by_a_stop_is_a_warning(code: int) -> None:
    row = problem(exit_code=code)
    assert row.severity == "warning"
    assert row.sentence.startswith(
        f"app was already stopped when the watch began, with exit code {code}"
    )


@pytest.mark.parametrize(
    "more",
    [
        {"finished": NOW + 1},
        {"exit_code": 1},
        {"oom_killed": True, "exit_code": 137},
        {"error": "cannot be started"},
        {"restart_policy": "on-failure"},
        {"began": None},
    ],
)
def test_what_has_failed_is_none(more: dict[str, Any]) -> None:
    assert problem(**more).severity == "critical"


def test_it_stays_a_warning_and_a_failure_stays_one() -> None:
    warning = problem()
    assert problem(episode=Episode("1", warning, NOW)).severity == "warning"
    assert problem(episode=Episode("1", problem(None), NOW)).severity == "critical"
    assert problem(episode=Episode("1", warning, NOW, exits=(NOW,))).severity == "critical"


def test_whether_it_ended_before_is_told_by_one_clock() -> None:
    ended = container("app", **(ENDED | {"finished": NOW + 50}))
    ahead = EngineFacts("unix:///x", "29.0", skew=100.0)
    now = replace(facts(service("app", ended)), engine=ahead, now=NOW + 100)
    (row,) = problems_of(diagnose(now).findings, now)
    assert excused(row, now, NOW, None).severity == "warning"
    assert excused(row, now, NOW - 60, None).severity == "critical"
