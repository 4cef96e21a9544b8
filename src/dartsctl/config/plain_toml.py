"""The plain part of TOML, in which most settings are written: read without importing `tomllib`.

That import takes as long as all the rest of reading the settings. What is not plain is left to
`tomllib`, mistakes too: dotted and quoted keys, escapes, floats, dates, inline tables, values of
several lines.
"""

from __future__ import annotations

_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
"""The characters of a bare key."""
_BLANK = " \t"
_MOST_DIGITS = 18
_ENDS = " \t,]#"
"""What may follow a word that has no quotes."""


class _NotPlain(Exception):
    """The text has more than this module reads, or a mistake."""


def parse(text: str) -> tuple[dict[str, object], dict[tuple[str, ...], int]] | None:
    """Return what `tomllib.loads` does, and the line of each key; None if the text is not plain."""
    if not text.replace("\n", "").replace("\t", "").isprintable():
        return None
    reader = _Reader()
    try:
        for number, line in enumerate(text.split("\n"), 1):
            reader.read(line.strip(_BLANK), number)
    except _NotPlain:
        return None
    return reader.root, reader.lines


class _Reader:
    """What was read so far, and the table that the next key belongs to."""

    def __init__(self) -> None:
        self.root: dict[str, object] = {}
        self.lines: dict[tuple[str, ...], int] = {}
        self._header: tuple[str, ...] = ()
        self._table = self.root
        self._headers: set[tuple[str, ...]] = set()

    def read(self, line: str, number: int) -> None:
        """Read one line. Raises _NotPlain."""
        if not line or line[0] == "#":
            return
        if line[0] == "[":
            self._open(line, number)
            return
        name, _, rest = line.partition("=")
        name = _bare(name.rstrip(_BLANK))
        if name in self._table:
            raise _NotPlain
        rest = rest.lstrip(_BLANK)
        value, end = _value(rest, 0)
        _refuse_rest(rest, end)
        self._table[name] = value
        self.lines.setdefault((*self._header, name), number)

    def _open(self, line: str, number: int) -> None:
        """Read a header."""
        end = line.find("]")
        header = tuple(map(_bare, line[1:end].split(".")))
        _refuse_rest(line, end + 1)
        if header in self._headers:
            raise _NotPlain
        self._headers.add(header)
        node: object = self.root
        for depth, name in enumerate(header, 1):
            self.lines.setdefault(header[:depth], number)
            if not isinstance(node, dict):
                raise _NotPlain
            node = node.setdefault(name, {})
        if not isinstance(node, dict):
            raise _NotPlain
        self._header, self._table = header, node


def _bare(name: str) -> str:
    if not name or not _BARE.issuperset(name):
        raise _NotPlain
    return name


def _refuse_rest(line: str, end: int) -> None:
    """Accept nothing but a comment after a statement."""
    rest = line[end:].lstrip(_BLANK)
    if end <= 0 or rest[:1] not in {"", "#"}:
        raise _NotPlain


def _value(text: str, start: int) -> tuple[object, int]:
    """Return the value at `start`, and where it ends."""
    first = text[start : start + 1]
    if first in {'"', "'"}:
        return _string(text, start)
    if first == "[":
        return _array(text, start)
    end = start
    while end < len(text) and text[end] not in _ENDS:
        end += 1
    word = text[start:end]
    if word in {"true", "false"}:
        return word == "true", end
    is_number = word.isascii() and word.isdecimal() and len(word) <= _MOST_DIGITS
    if not is_number or (word[0] == "0" and word != "0"):
        raise _NotPlain
    return int(word), end


def _string(text: str, start: int) -> tuple[str, int]:
    quote = text[start]
    end = text.find(quote, start + 1)
    value = text[start + 1 : end]
    is_long = text.startswith(quote * 3, start)
    if end < 0 or is_long or (quote == '"' and "\\" in value):
        raise _NotPlain
    return value, end + 1


def _array(text: str, start: int) -> tuple[list[object], int]:
    """Return an array on one line, without arrays in it."""
    values: list[object] = []
    place = start + 1
    while True:
        place = _after_blanks(text, place)
        if text[place : place + 1] == "]":
            return values, place + 1
        if text[place : place + 1] == "[":
            raise _NotPlain
        value, place = _value(text, place)
        values.append(value)
        place = _after_blanks(text, place)
        if text[place : place + 1] == ",":
            place += 1
        elif text[place : place + 1] != "]":
            raise _NotPlain


def _after_blanks(text: str, place: int) -> int:
    while text[place : place + 1] in {" ", "\t"}:
        place += 1
    return place
