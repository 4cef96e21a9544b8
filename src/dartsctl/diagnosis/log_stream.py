"""Read the engine's stream of a container's log.

It consists of frames of stdout and stderr, or is plain text if the container has a terminal.
"""

from __future__ import annotations

import struct
from typing import Literal

from dartsctl.records import record
from dartsctl.text.safe_text import cut, without_colors

_HEADER = struct.Struct(">B3xI")


_Frame = tuple[Literal["stdout", "stderr"], bytes]


@record
class LogLine:
    """One line, without its end."""

    text: str
    when: str = ""
    """The engine's time of the line (RFC 3339, UTC); empty if it was not asked for."""
    stream: Literal["stdout", "stderr"] = "stdout"


def lines(body: bytes, *, timestamps: bool = False) -> tuple[LogLine, ...]:
    """Return the lines of a log in their order, without colours, each cut if it is too long.

    `timestamps`: whether each line begins with one. A last frame that was cut is kept.
    """
    rows: list[LogLine] = []
    for stream, text in _frames(body):
        for line in text.decode(errors="replace").splitlines():
            when, rest = "", line
            if timestamps:
                when, _, rest = line.partition(" ")
            rows.append(LogLine(cut(without_colors(rest.rstrip("\r"))), when, stream))
    return tuple(rows)


def output(body: bytes) -> tuple[str, str]:
    """Return what a command in a container has written to stdout and to stderr.

    Frames end anywhere, also in the middle of a line.
    """
    parts = {"stdout": bytearray(), "stderr": bytearray()}
    for stream, text in _frames(body):
        parts[stream] += text
    return parts["stdout"].decode(errors="replace"), parts["stderr"].decode(errors="replace")


def _frames(body: bytes) -> list[_Frame]:
    """Return the frames; the whole as one of stdout if the stream has none (a terminal)."""
    frames: list[_Frame] = []
    begin = 0
    while begin + _HEADER.size <= len(body):
        kind, size = _HEADER.unpack_from(body, begin)
        if kind > 2 or body[begin + 1 : begin + 4] != b"\0\0\0":
            return [("stdout", body)]
        text = body[begin + _HEADER.size : begin + _HEADER.size + size]
        frames.append(("stderr" if kind == 2 else "stdout", text))
        begin += _HEADER.size + size
    return frames if frames or not body else [("stdout", body)]
