"""Phrases that several commands show."""

from __future__ import annotations

import pytest

from dartsctl.text.phrases import (
    did_you_mean,
    duration,
    exact_duration,
    local_time,
    shell_command,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (59.9, "59 s"), (60, "1 min"), (7199, "1 h"), (90_000, "1 d")],
)
def test_a_duration_has_one_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0.9, "0 s"),
        (59.9, "59 s"),
        (80, "1 min 20 s"),
        (120, "2 min"),
        (7505, "2 h 5 min"),
        (90_061, "1 d 1 h"),
    ],
)
def test_an_exact_duration_has_two_units(seconds: float, text: str) -> None:
    assert exact_duration(seconds) == text


def test_a_local_time_shows_its_offset() -> None:
    assert local_time(0)[-6] in "+-"
    assert local_time(0)[-3] == ":"


def test_a_command_is_quoted_for_the_shell() -> None:
    assert shell_command("ls", "-l", "a folder/$(id)") == "ls -l 'a folder/$(id)'"


def test_a_similar_name_is_suggested_as_the_user_would_write_it() -> None:
    assert did_you_mean("Prdo", ["dev", "prod"]) == "did you mean prod?"
    assert did_you_mean("prot", ["port"], lambda name: f"{{{name}}}") == "did you mean {port}?"
    assert did_you_mean("zzz", ["dev", "prod"]) == ""
