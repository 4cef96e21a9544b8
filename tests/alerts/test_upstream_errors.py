"""Errors that the proxy has logged: how many make a problem, and when it is gone."""

from __future__ import annotations

from dartsctl.alerts.problem import Subject
from dartsctl.alerts.upstream_errors import UpstreamErrors


def errors_of(app: str, times: list[float], kind: str = "connection refused") -> UpstreamErrors:
    errors = UpstreamErrors()
    for when in times:
        errors.record(app, kind, f"line at {when:.0f}", when)
    return errors


def test_many_errors_within_a_minute_are_a_problem_with_their_kinds_and_the_last_line() -> None:
    errors = errors_of("app", [100, 101, 102, 103])
    assert errors.problem("app", 110, command="dartsctl doctor", shown=str) is None
    errors.record("app", "connection reset", "the last line", 104)
    problem = errors.problem("app", 110, command="dartsctl doctor", shown=str.upper)
    assert problem
    assert (problem.subject, problem.cause) == (Subject("service", "app"), "upstream-errors")
    assert problem.since == 100
    assert problem.sentence == (
        "the proxy logged 5 errors of app in the last 60 s, and no cause is known: "
        "4 times connection refused, once connection reset"
    )
    assert problem.evidence[-1] == "last line of the proxy's error log: THE LAST LINE"


def test_a_few_errors_now_and_then_are_none() -> None:
    errors = errors_of("app", [float(20 * number) for number in range(50)])
    assert errors.problem("app", 985, command="", shown=str) is None
    assert errors.totals == {"app": 50}


def test_a_problem_lasts_until_few_errors_are_left_and_keeps_its_beginning() -> None:
    errors = errors_of("app", [100, 101, 102, 103, 104])
    assert errors.problem("app", 110, command="", shown=str)
    errors.record("app", "refused", "line", 150)
    errors.record("app", "refused", "line", 155)
    problem = errors.problem("app", 170, command="", shown=str)
    assert problem
    assert problem.since == 100
    assert errors.problem("app", 211, command="", shown=str) is None
    errors.record("app", "refused", "line", 212)
    assert errors.problem("app", 213, command="", shown=str) is None


def test_services_are_counted_apart() -> None:
    errors = errors_of("app", [100, 101, 102])
    for when in (100, 101, 102):
        errors.record("api", "refused", "line", when)
    assert errors.problem("app", 110, command="", shown=str) is None
    assert errors.problem("api", 110, command="", shown=str) is None


def test_the_error_with_which_there_are_many_is_said_once() -> None:
    errors = UpstreamErrors()
    said = [errors.record("app", "refused", "line", 100 + number) for number in range(10)]
    assert said == [False] * 4 + [True] + [False] * 5


def test_forgotten_errors_count_only_in_the_total() -> None:
    errors = errors_of("app", [100, 101, 102, 103, 104])
    errors.forget("app")
    assert errors.problem("app", 105, command="", shown=str) is None
    assert errors.totals == {"app": 5}


def test_after_forgotten_errors_a_few_are_no_problem() -> None:
    errors = errors_of("app", [100, 101, 102, 103, 104])
    assert errors.problem("app", 105, command="", shown=str)
    errors.forget("app")
    for when in (106, 107):
        errors.record("app", "refused", "line", when)
    assert errors.problem("app", 108, command="", shown=str) is None


def test_a_flood_needs_no_more_memory() -> None:
    errors = errors_of("app", [100.0] * 5000)
    problem = errors.problem("app", 101, command="", shown=str)
    assert problem
    assert problem.data["errors"] == 1000
    assert problem.sentence.startswith("the proxy logged at least 1000 errors of app")
