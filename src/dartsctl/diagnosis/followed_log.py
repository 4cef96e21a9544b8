"""Read a log bit by bit, as it is written. Whatever is in it, the memory stays that of one line."""

from __future__ import annotations

import struct

from dartsctl.diagnosis.nginx.log import parse_moment
from dartsctl.records import field, record
from dartsctl.text.patterns import regex
from dartsctl.text.safe_text import LINE_LIMIT, cut, without_colors

_HEADER = struct.Struct(">BxxxI")
_HEADER_LIKE = (b"\0\0\0\0", b"\1\0\0\0", b"\2\0\0\0")
"""How a frame begins: the stream, and three zeros."""
_STAMP = regex(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")
_LINE_BYTES = 4 * LINE_LIMIT
"""Bytes of a line that are kept. The rest is dropped until the line ends."""


@record(frozen=False)
class LineReader:
    """Makes lines from bytes that come in pieces."""

    _begin: bytearray = field(default_factory=bytearray)
    """Of a line that has not ended yet."""

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that end with these bytes, without colours, each cut if too long."""
        *ended, rest = data.split(b"\n")
        lines = []
        for piece in ended:
            self._keep(piece)
            lines.append(cut(without_colors(self._begin.decode(errors="replace").rstrip("\r"))))
            self._begin.clear()
        self._keep(rest)
        return lines

    def _keep(self, piece: bytes) -> None:
        self._begin += piece[: _LINE_BYTES - len(self._begin)]


@record
class StampedLine:
    """A line, and the engine's time of it (RFC 3339, UTC)."""

    text: str
    when: str


@record(frozen=False)
class EngineLogReader:
    """Makes lines from the engine's stream of a log, which was asked for with its times.

    It consists of frames, which may end anywhere, or is plain text if the container has a terminal.
    """

    _lines: dict[int, LineReader] = field(default_factory=dict)
    """By the number of the output, 1 stdout and 2 stderr."""
    _header: bytes = b""
    _output: int = 1
    _left: int = 0
    """Bytes of the current frame that are still to come."""
    _is_text: bool = False

    def feed(self, data: bytes) -> list[StampedLine]:
        """Return the lines that end with these bytes."""
        lines: list[str] = []
        place = 0
        while place < len(data):
            if self._is_text:
                lines += self._reader().feed(data[place:])
                break
            wanted = self._left or _HEADER.size - len(self._header)
            piece = data[place : place + wanted]
            place += len(piece)
            if self._left:
                self._left -= len(piece)
                lines += self._reader().feed(piece)
            else:
                self._header += piece
                lines += self._begin_frame()
        return [_stamped(line) for line in lines]

    def _begin_frame(self) -> list[str]:
        """Take a header that is complete. Return the lines in it if it is none, but text."""
        header = self._header
        if len(header) < _HEADER.size:
            return []
        self._header = b""
        if not header.startswith(_HEADER_LIKE):
            self._is_text = True
            return self._reader().feed(header)
        self._output, self._left = _HEADER.unpack(header)
        return []

    def _reader(self) -> LineReader:
        return self._lines.setdefault(self._output, LineReader())


def _stamped(line: str) -> StampedLine:
    when, _, text = line.partition(" ")
    return StampedLine(text, when)


def since_after(when: str) -> str:
    """Return the moment after a line as the engine takes it: Unix time with nanoseconds.

    Empty if `when` is no time of the engine.
    """
    match = _STAMP.fullmatch(when)
    seconds = parse_moment(f"{match[1]}Z") if match else None
    if match is None or seconds is None:
        return ""
    nanoseconds = int((match[2] or "").ljust(9, "0")) + 1
    return f"{int(seconds) + nanoseconds // 10**9}.{nanoseconds % 10**9:09d}"
