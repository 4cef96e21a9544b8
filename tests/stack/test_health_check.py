"""Health checks of Compose's model and of images, and how long they may take."""

from __future__ import annotations

from typing import Any

import pytest

from dartsctl.errors import DartsctlError
from dartsctl.stack.health_check import (
    NO_HEALTH_CHECK,
    HealthCheck,
    parse_duration,
    read_health_check,
    read_image_check,
)
from dartsctl.text.strict_json import Cursor, Source

TEST = ("CMD-SHELL", "true")


def cursor(value: object) -> Cursor:
    return Cursor(value, Source("a document"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1m30s", 90),
        ("1.5s", 1.5),
        ("2h0m0s", 7200),
        ("100ms", 0.1),
        ("1h2m3.5s", 3723.5),
        ("1500\u00b5s", 0.0015),
        ("1500\u03bcs", 0.0015),
        ("5us", 5e-6),
        ("7ns", 7e-9),
        (".5m", 30),
        ("2562047h47m16.854775807s", 9223372036.854775807),
        ("0", 0),
        ("0s", 0),
        ("", 0),
    ],
)
def test_a_duration_is_read_as_go_writes_it(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["soon", "5", "5 s", "-5s", "1m30", "s", ".", "1d", "1e3s", "٣s"])
def test_any_other_text_is_no_duration(text: str) -> None:
    assert parse_duration(text) is None


def test_compose_writes_durations_as_text_and_the_engine_in_nanoseconds() -> None:
    of_compose = {
        "test": list(TEST),
        "interval": "10s",
        "timeout": "1m30s",
        "start_period": "5m0s",
        "retries": 7,
        "start_interval": "1s",
    }
    of_image = {
        "Test": list(TEST),
        "Interval": 10_000_000_000,
        "Timeout": 90_000_000_000,
        "StartPeriod": 300_000_000_000,
        "Retries": 7,
    }
    expected = HealthCheck(TEST, interval=10, timeout=90, start_period=300, retries=7)
    assert read_health_check(cursor(of_compose)) == expected
    assert read_image_check(cursor(of_image)) == expected
    assert read_health_check(cursor({"interval": 10_000_000_000})).interval == 10


@pytest.mark.parametrize("key", ["interval", "timeout", "start_period"])
@pytest.mark.parametrize("value", ["soon", "-5s", True, [], 2**70, -1])
def test_what_is_no_duration_is_an_error_with_its_place(key: str, value: Any) -> None:
    with pytest.raises(DartsctlError, match=f"a document: {key}"):
        read_health_check(cursor({"test": list(TEST), key: value}))


@pytest.mark.parametrize(
    ("declared", "longest"),
    [
        ({"test": ["CMD", "true"]}, 180),  # the engine's defaults: 3 x (30 s + 30 s)
        ({"test": ["CMD", "true"], "interval": "10s", "timeout": "5s", "retries": 10}, 150),
        ({"test": ["CMD", "true"], "interval": "10s", "timeout": "5s", "start_period": "5m"}, 345),
        ({"test": ["CMD", "true"], "retries": 0, "interval": "0s"}, 180),
        ({"test": ["NONE"], "start_period": "5m"}, 0),
        ({"test": ["CMD", "true"], "disable": True}, 0),
        ({"interval": "5s"}, 0),
        (None, 0),
    ],
)
def test_a_check_may_take_its_start_period_and_all_its_retries(
    declared: dict[str, Any] | None, longest: float
) -> None:
    assert read_health_check(cursor(declared)).longest == longest


def test_where_the_compose_file_is_silent_the_images_check_counts() -> None:
    image = HealthCheck(TEST, timeout=7, start_period=90)
    assert NO_HEALTH_CHECK.over(image) == image
    assert HealthCheck(interval=2).over(image) == HealthCheck(
        TEST, interval=2, timeout=7, start_period=90
    )
    own = HealthCheck(("CMD", "own"), 1, 2, 3, 4)
    assert own.over(image) == own
    assert HealthCheck(("NONE",)).over(image).longest == 0
    assert NO_HEALTH_CHECK.over(HealthCheck(("NONE",))).longest == 0
