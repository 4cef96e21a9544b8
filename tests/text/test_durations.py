"""Lengths of time that a person writes."""

from __future__ import annotations

import pytest

from dartsctl.text.durations import parse_duration
from dartsctl.text.phrases import exact_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("1.5", 1.5),
        ("0", 0),
        ("45s", 45),
        ("30m", 1800),
        ("30min", 1800),
        ("2h", 7200),
        ("1d", 86400),
        ("1h30m", 5400),
        (" 1 H 30 min ", 5400),
        ("1.5h", 5400),
        ("0m", 0),
    ],
)
def test_numbers_are_seconds_and_units_are_multiplied(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "h", "2x", "-5m", "+5m", "1m1h", "1h1h", "2h!", "1e3", "nan", "inf", "٣m", "9" * 10],
)
def test_anything_else_is_no_length_of_time(text: str) -> None:
    assert parse_duration(text) is None


@pytest.mark.parametrize("seconds", [1, 59, 60, 5400, 86400, 93600])
def test_what_dartsctl_shows_can_be_typed(seconds: float) -> None:
    assert parse_duration(exact_duration(seconds)) == seconds
