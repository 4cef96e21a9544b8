"""The exit codes are a contract with scripts, so the numbers are repeated here."""

from __future__ import annotations

import pytest

from dartsctl.errors import (
    DartsctlError,
    DockerUnavailable,
    ExitCode,
    Interrupted,
    NotHealthy,
    Refused,
    TimedOut,
    UsageError,
)
from dartsctl.spawn import CommandNotFound


def test_the_exit_codes_are_these_and_no_others() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "OK": 0,
        "FAILED": 1,
        "USAGE": 2,
        "CONFLICT": 3,
        "REFUSED": 4,
        "NO_DOCKER": 5,
        "NOT_HEALTHY": 6,
        "ANSWER_NEEDED": 7,
        "BUG": 70,
        "TIMED_OUT": 124,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (DartsctlError, 1),
        (UsageError, 2),
        (Refused, 4),
        (DockerUnavailable, 5),
        (NotHealthy, 6),
        (TimedOut, 124),
        (Interrupted, 130),
        (CommandNotFound, 1),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_each_kind_of_error_has_its_own_code(kind: type[DartsctlError], code: int) -> None:
    assert kind("it failed").code == code


def test_an_error_can_have_another_code_than_its_kind() -> None:
    assert DartsctlError("a port is busy", code=ExitCode.CONFLICT).code == 3
    assert DartsctlError("a port is busy").code == 1


def test_an_error_has_a_sentence_evidence_and_a_hint() -> None:
    failure = Refused(
        "port 5000 is production's", hint="dartsctl dev", details=("line 1", "line 2")
    )
    assert str(failure) == failure.message == "port 5000 is production's"
    assert (failure.hint, failure.details) == ("dartsctl dev", ("line 1", "line 2"))
    assert (UsageError("what?").hint, UsageError("what?").details) == ("", ())
