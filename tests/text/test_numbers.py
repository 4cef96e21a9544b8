"""Numbers in text from outside."""

from __future__ import annotations

import pytest

from dartsctl.text.numbers import parse_digits


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("007", 7),
        ("65535", 65535),
        ("65536", None),
        ("", None),
        ("-1", None),
        ("\u00b2", None),
        ("9" * 5000, None),
    ],
)
def test_digits_are_a_number_up_to_the_maximum(text: str, number: int | None) -> None:
    assert parse_digits(text, 65535) == number
