"""A terminal for tests: what a program has written to it, as a person would see it."""

from __future__ import annotations

import re

_SEQUENCE = re.compile(r"\x1b\[(\??)([\d;]*)([A-Za-z])|([^\x1b])|(\x1b)", re.DOTALL)
_START = re.compile(r"\x1b(?:\[\??[\d;]*)?\Z")


class FakeTerminal:
    """The lines of the screen, and the modes that matter. Knows what dartsctl's dashboard writes.

    Raises AssertionError for any other control sequence.
    """

    def __init__(self) -> None:
        self.lines: dict[int, str] = {}
        self.is_alternate = False
        self.has_cursor = True
        self.wraps = True
        self.styles: set[str] = set()
        self.after = ""
        """What was written to the usual screen."""
        self._row = 0
        self._column = 0
        self._rest = ""

    def feed(self, text: str) -> None:
        """Take what was written; a sequence may be in two pieces."""
        text = self._rest + text
        start = _START.search(text)
        self._rest = text[start.start() :] if start else ""
        for match in _SEQUENCE.finditer(text.removesuffix(self._rest)):
            private, numbers, letter, character, escape = match.groups()
            assert not escape, f"unknown sequence in {text[match.start() :][:20]!r}"
            if character:
                self._put(character)
            elif private:
                self._mode(numbers, on=letter == "h")
            else:
                self._control(numbers, letter)

    @property
    def text(self) -> list[str]:
        """The lines of the screen, without the spaces at their ends."""
        last = max((row for row, line in self.lines.items() if line.strip()), default=-1)
        return [self.lines.get(row, "").rstrip() for row in range(last + 1)]

    def _put(self, character: str) -> None:
        if not self.is_alternate:
            self.after += character
            return
        if character in "\r\n":
            assert self._row == 998, "lines are broken only below the page"
            return
        assert character.isprintable(), repr(character)
        line = self.lines.get(self._row, "").ljust(self._column)
        self.lines[self._row] = line[: self._column] + character + line[self._column + 1 :]
        self._column += 1

    def _mode(self, numbers: str, *, on: bool) -> None:
        if numbers == "1049":
            self.is_alternate = on
        elif numbers == "25":
            self.has_cursor = on
        elif numbers == "7":
            self.wraps = on
        else:
            assert numbers == "2004", f"unknown mode {numbers}"  # a shell's own

    def _control(self, numbers: str, letter: str) -> None:
        if letter == "H":
            row, column = map(int, numbers.split(";"))
            self._row, self._column = row - 1, column - 1
        elif letter == "J":
            self.lines.clear()
        elif letter == "K":
            self.lines[self._row] = self.lines.get(self._row, "")[: self._column]
        else:
            assert letter == "m", f"unknown control {letter}"
            self.styles.add(numbers)
