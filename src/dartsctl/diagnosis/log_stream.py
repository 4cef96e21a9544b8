"""How the engine sends a container's log: frames of stdout and stderr in one stream, or plain text where the container has a terminal."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from dartsctl.text.safe_text import cut, without_colors

_HEADER = struct.Struct(">B3xI")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line, without its end. `when` is the engine's own time of it (RFC 3339, UTC); empty where it was not asked for."""

    text: str
    when: str = ""
    stream: Literal["stdout", "stderr"] = "stdout"


def lines(body: bytes, *, timestamps: bool = False) -> tuple[LogLine, ...]:
    """The lines of a log's answer in the order they came, without colours, each cut where it is too long.

    `timestamps`: whether each begins with one. A last frame that was cut is kept.
    """
    found: list[LogLine] = []
    for stream, text in _frames(body):
        for line in text.decode(errors="replace").splitlines():
            when, _, rest = line.partition(" ") if timestamps else ("", "", line)
            found.append(LogLine(cut(without_colors(rest.rstrip("\r"))), when, stream))
    return tuple(found)


def output(body: bytes) -> tuple[str, str]:
    """What a command in a container has written to stdout and to stderr. Frames end anywhere, in the middle of a line too."""
    parts = {"stdout": bytearray(), "stderr": bytearray()}
    for stream, text in _frames(body):
        parts[stream] += text
    return parts["stdout"].decode(errors="replace"), parts["stderr"].decode(errors="replace")


def _frames(body: bytes) -> list[tuple[Literal["stdout", "stderr"], bytes]]:
    """The frames; the whole as one where the stream has none (a terminal: everything is stdout)."""
    found: list[tuple[Literal["stdout", "stderr"], bytes]] = []
    place = 0
    while place + _HEADER.size <= len(body):
        kind, size = _HEADER.unpack_from(body, place)
        if kind > 2 or body[place + 1 : place + 4] != b"\0\0\0":
            return [("stdout", body)]
        found.append(
            (
                "stderr" if kind == 2 else "stdout",
                body[place + _HEADER.size : place + _HEADER.size + size],
            )
        )
        place += _HEADER.size + size
    return found if found or not body else [("stdout", body)]
