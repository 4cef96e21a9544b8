"""Text from outside becomes one line in which unsafe characters are escaped."""

from __future__ import annotations

import unicodedata

import pytest

from dartsctl.text.safe_text import (
    CUT,
    cut,
    is_safe,
    one_line,
    with_colors,
    without_colors,
    without_surrogates,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, äöü, 日本, 🎯", "plain text, äöü, 日本, 🎯"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("two\nlines\r", "two\\nlines\\x0d"),
        ("a\tb", "a b"),
        ("\x00\x07\x7f\x9b31m", "\\x00\\x07\\x7f\\x9b31m"),
        ("a\u202eb\u2066\u061c\u200f", "a\\u202eb\\u2066\\u061c\\u200f"),
        ("a\u200b\u2028\u2029\ufeff\u00ad", "a\\u200b\\u2028\\u2029\\ufeff\\xad"),
        ("tag \U000e0041", "tag \\U000e0041"),
        ("file \udcff \ud800", "file \\xff \\ud800"),
    ],
)
def test_an_unsafe_character_is_shown_as_its_escape(text: str, shown: str) -> None:
    assert one_line(text) == shown
    assert is_safe(text) == (text == shown)


def test_every_control_and_invisible_character_is_escaped() -> None:
    everything = "".join(map(chr, range(0x110000)))
    left = {
        character
        for character in one_line(everything)
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    }
    harmless = {character for character in left if unicodedata.category(character) == "Cf"}
    assert left == harmless
    assert {unicodedata.bidirectional(character) for character in harmless} <= {
        "AN",
        "AL",
        "L",
        "NSM",
        "ON",
        "",
    }


def test_a_log_line_keeps_only_its_tabs_and_colors() -> None:
    line = "\x1b[1;32mINFO\x1b[0m\tready \x1b[2J\x1b]0;title\x07\x1b[10A"
    assert (
        with_colors(line)
        == "\x1b[1;32mINFO\x1b[0m\tready \\x1b[2J\\x1b]0;title\\x07\\x1b[10A\x1b[0m"
    )
    assert with_colors("a\tb\x08") == "a\tb\\x08"
    assert without_colors("\x1b[38;5;87mrabbit\x1b[0m \x1b[2J") == "rabbit \x1b[2J"


def test_cut_text_ends_with_a_mark() -> None:
    assert cut("abc", 3) == "abc"
    assert cut("abcd", 3) == "abc" + CUT


def test_text_without_surrogates_can_be_encoded() -> None:
    assert without_surrogates("a\udcff\x1b ü").encode() == b"a\\xff\x1b \xc3\xbc"
