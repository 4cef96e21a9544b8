"""Patterns are compiled late, so that nothing but this test compiles all of them."""

from __future__ import annotations

import re

import pytest

from dartsctl.text.patterns import regex


def test_a_pattern_is_used_through_its_methods() -> None:
    words = regex(r"(?i)([a-z]+)")
    assert words.findall("One two") == ["One", "two"]
    assert words.sub("x", "One 2") == "x 2"
    match = words.fullmatch("one")
    assert match is not None
    assert match[1] == "one"
    assert words.pattern == r"(?i)([a-z]+)"


def test_a_pattern_is_compiled_at_its_first_use() -> None:
    broken = regex("(")
    with pytest.raises(re.error):
        broken.search("")
