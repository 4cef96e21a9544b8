"""The plain part of TOML is read as tomllib and the line numbers of any TOML read it."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path

import pytest

from dartsctl.config.file import line_numbers
from dartsctl.config.plain_toml import parse

LINES = (
    *("[dev]", "[dev.x]", "[a-b_1]", "[ dev ]", "[dev] # c", "[[dev]]", "[dev", "[]", "[dev].x"),
    *("a = 1", "a = 1 ", "b = 'x'", 'b = "x"', 'c = ["x", "y"]', "c = []", "d = true", "x = 1"),
    *('e = "a # b" # c', "e = 'a \\\\ b'", 'e = "\\\\n"', "e = 007", "e = 0", "e = -1", "e = 1.5"),
    *("f = [1, 2,]", "f = [1 2]", "f = [,]", "f = [[1]]", "f = [", "]", "f = 1979-05-27"),
    *('g = """x"""', "g = ''''''", "g = ''", 'g = ""', "g = 1_000", "g = truer", "g = +1"),
    *("h.i = 1", '"h" = 1', "h = { x = 1 }", "h =", "= 1", "h", "h = 1 2", "h = 'x' y", "h = 'x"),
    *("", "  ", "# c", "\t# c", "  a = 2", "i=1", "j\t=\t'é'", "é = 1", "k = 'a\tb'", "l = \x0b"),
    *("m = 99999999999999999999", "n = true#c", "n = 1#c", "o = [true, 'x', 3] # c", "p = [1,"),
)


def read(text: str) -> object:
    """Return what tomllib and line_numbers say; None for a mistake."""
    try:
        return tomllib.loads(text), line_numbers(text)
    except tomllib.TOMLDecodeError:
        return None


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_read_alike_or_left_to_tomllib(line: str) -> None:
    if (plain := parse(line)) is not None:
        assert plain == read(line)


def test_random_texts_are_read_alike_or_left_to_tomllib() -> None:
    chance = random.Random(15)
    pieces = ["a", "b", "=", " ", "'", '"', "[", "]", ",", "1", "0", "true", "#", ".", "\\", "\n"]
    texts = ["\n".join(chance.choices(LINES, k=chance.randint(1, 6))) for _ in range(4000)]
    texts += ["a = " + "".join(chance.choices(pieces, k=7)) for _ in range(4000)]
    plain = [text for text in texts if parse(text) is not None]
    assert len(plain) > 400
    for text in plain:
        assert parse(text) == read(text), text


def test_the_settings_of_this_repository_are_plain() -> None:
    text = (Path(__file__).parents[2] / "dartsctl.toml").read_text()
    assert parse(text) == read(text)


@pytest.mark.parametrize("line", ["a = 1", "d = true", 'c = ["x", "y"]', "b = 'x' # c", "[dev.x]"])
def test_common_lines_are_plain(line: str) -> None:
    assert parse(line) is not None
