"""What `examine` makes of its measurements before anybody judges them."""

from __future__ import annotations

import pytest

from dartsctl.diagnosis.nginx.log import parse_moment
from dartsctl.workflows.examine.stack import clock_skew

NOW = parse_moment("2026-11-23T23:00:00Z") or 0.0


@pytest.mark.parametrize(
    ("clock", "seconds"),
    [
        ("2026-11-23T23:00:00.400000000Z", 0),
        ("2026-11-23T22:59:59.500000000Z", 0),
        ("2026-11-23T23:05:00.000000000Z", 300),
        ("2026-11-23T22:00:00Z", -3600),
        ("2026-11-24T00:00:00+01:00", 0),
        ("", 0),
        ("no time", 0),
    ],
)
def test_a_wrong_engine_clock_is_noticed(clock: str, seconds: float) -> None:
    """edge-cases.md#79: a virtual machine's clock after the laptop has slept."""
    assert clock_skew(lambda: clock, lambda: NOW) == seconds


@pytest.mark.parametrize(
    ("clock", "seconds"),
    [
        ("2026-11-23T23:00:00Z", 0),
        ("2026-11-23T23:00:05Z", 0),
        ("2026-11-23T22:58:20Z", -100),
        ("2026-11-23T23:01:45Z", 100),
    ],
)
def test_an_answer_that_takes_five_seconds_is_no_wrong_clock(clock: str, seconds: float) -> None:
    moments = iter((NOW, NOW + 5))
    assert clock_skew(lambda: clock, lambda: next(moments)) == seconds
