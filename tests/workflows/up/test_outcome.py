"""What is said of an `up` that did not end well: how far it has come, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from dartsctl.errors import DartsctlError, ExitCode
from dartsctl.stack.health import Condition, ContainerHealth, StackHealth
from dartsctl.stack.health_deadline import given
from dartsctl.workflows.up.outcome import ContainerProblem, UpOutcome, failure_of
from fakes.preflights import preflight

DB = ContainerHealth("db", "demo-db-1", Condition.STARTING, "Up 2 minutes (health: starting)")
SICK = ContainerHealth("db", "demo-db-1", Condition.UNHEALTHY, "Up 2 minutes (unhealthy)")
WEB = ContainerHealth("web", "demo-web-1", Condition.NOT_STARTED, "it waits for db to be healthy")
APP = ContainerHealth("app", "demo-app-1", Condition.READY, "Up 3 minutes (healthy)")
ABSENT = ContainerHealth("web", "", Condition.MISSING, "no container")
LOG = {"demo-db-1": ContainerProblem(log=("recovering",))}


def failure(*containers: ContainerHealth, is_late: bool = False, **more: Any) -> DartsctlError:
    outcome = UpOutcome(StackHealth(containers), deadline=given(200), is_late=is_late, **more)
    return failure_of(preflight(), outcome)


@pytest.mark.parametrize(
    ("containers", "is_late", "message", "code"),
    [
        (
            [DB, APP],
            True,
            "darts-dev is up, but not healthy within 3 min 20 s",
            ExitCode.NOT_HEALTHY,
        ),
        ([SICK, APP], False, "darts-dev is up, but not healthy", ExitCode.NOT_HEALTHY),
        (
            [SICK, WEB],
            False,
            "darts-dev is only partly up: web was not started",
            ExitCode.NOT_HEALTHY,
        ),
        (
            [DB, WEB],
            True,
            "darts-dev is only partly up: web was not started within 3 min 20 s",
            ExitCode.NOT_HEALTHY,
        ),
        (
            [APP, ABSENT],
            True,
            "darts-dev did not start in time: no container for web",
            ExitCode.TIMED_OUT,
        ),
    ],
)
def test_up_but_not_healthy_is_said_of_what_is_up_alone(
    containers: list[ContainerHealth], is_late: bool, message: str, code: ExitCode
) -> None:
    error = failure(*containers, is_late=is_late)
    assert (error.message, error.code) == (message, code)


def test_a_passed_deadline_is_said_with_its_reason() -> None:
    sentence = "health deadline: 3 min 20 s, as --wait-timeout or wait_timeout says"
    assert failure(DB, is_late=True).details == (sentence,)
    assert failure(SICK).details == ()


def test_what_was_not_started_is_named_with_what_to_do_next() -> None:
    error = failure(SICK, WEB, problems=LOG)
    assert error.details == (
        "last log lines of demo-db-1:",
        "  recovering",
        "`dartsctl dev up` starts the rest, `dartsctl dev down` removes everything",
    )
    assert error.hint == "dartsctl dev logs db", "the log of what never ran is empty"
