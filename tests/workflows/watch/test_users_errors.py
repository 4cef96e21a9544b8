"""Errors in nginx's log are a problem of their own only where nothing else explains them."""

from __future__ import annotations

from typing import Any

import pytest

from dartsctl.alerts.problem import Problem, Subject
from dartsctl.alerts.state import Episode, State, Work
from dartsctl.diagnosis.findings import Cause, Finding
from dartsctl.records import replace
from dartsctl.text.masker import Masker
from dartsctl.workflows.watch.known import Known
from dartsctl.workflows.watch.users_errors import unexplained
from fakes.examinations import examination
from fakes.stack_facts import NOW, answer

LINE = "GET /canary-11aa22bb \x1b[2J"
URL = "http://127.0.0.1:80/"


def with_errors(*services: str) -> Known:
    known = Known()
    for service in services:
        for second in range(6):
            known.upstream_errors.record(service, "connection refused", LINE, NOW - second)
    return known


def finding(service: str, **more: Any) -> Finding:
    return Finding(Cause.STALE_UPSTREAM, service, "", (), "", "", "certain", **more)


def subjects(known: Known, **more: Any) -> list[str]:
    return [
        problem.subject.name for problem in unexplained(known, examination(**more), NOW, Masker())
    ]


def test_errors_that_nothing_explains_are_a_problem_with_doctors_command() -> None:
    masker = Masker()
    masker.learn_values(["canary-11aa22bb"])
    (problem,) = unexplained(with_errors("app"), examination(), NOW, masker)
    assert (problem.subject, problem.cause) == (Subject("service", "app"), "upstream-errors")
    assert problem.command == "dartsctl doctor"
    assert problem.evidence[-1] == "last line of the proxy's error log: GET /*** \\x1b[2J"


@pytest.mark.parametrize(
    "explaining",
    [
        finding("app"),
        finding("db", data={"followed_by": ["app"]}),
        finding("web", requests=(URL,)),
    ],
)
def test_a_finding_about_the_service_or_its_requests_explains_them_for_good(
    explaining: Finding,
) -> None:
    known = with_errors("app")
    http = (answer(502),)
    assert subjects(known, findings=(explaining,), http=http) == []
    assert subjects(known) == []
    assert known.upstream_errors.totals == {"app": 6}


@pytest.mark.parametrize(
    "other",
    [
        finding("db"),
        finding("app", harmless=True),
        finding("app", is_aside=True),
        finding("web", requests=("http://127.0.0.1:80/other",)),
    ],
)
def test_a_finding_about_something_else_explains_nothing(other: Finding) -> None:
    assert subjects(with_errors("app"), findings=(other,), http=(answer(502),)) == ["app"]


def episode(service: str, cause: str, *affected: str) -> Episode:
    problem = Problem(
        Subject("service", service),
        cause,
        "",
        affected=tuple(Subject("service", name) for name in affected),
    )
    return Episode("id", problem, NOW, phase="closing")


def state(*episodes: Episode, **more: Any) -> State:
    return State(episodes={row.subject: row for row in episodes}, **more)


@pytest.mark.parametrize(
    "known_state",
    [
        state(episode("app", "app-exited")),
        state(episode("db", "out-of-memory", "app")),
        state(stopped=frozenset({"app"})),
        state(work=Work("up")),
        state(work=Work("restart", frozenset({"app"}))),
    ],
)
def test_an_outage_that_is_known_or_planned_explains_them(known_state: State) -> None:
    known = with_errors("app")
    known.state = known_state
    assert subjects(known) == []
    known.state = State()
    assert subjects(known) == []


def test_their_own_episode_and_the_work_on_others_do_not() -> None:
    known = with_errors("app", "api")
    known.state = state(episode("app", "upstream-errors"), work=Work("restart", frozenset({"db"})))
    assert subjects(known) == ["app", "api"]
    known.state = replace(known.state, work=Work("up", ended=NOW - 1))
    assert subjects(known) == ["app", "api"]
