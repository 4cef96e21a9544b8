"""A log that is followed: its lines, however its bytes come, in the memory of one line."""

from __future__ import annotations

import struct
import tracemalloc

import pytest

from dartsctl.diagnosis.followed_log import EngineLogReader, LineReader, StampedLine

STAMP = "2026-11-26T20:00:00.123456789Z"


def frame(text: str, output: int = 2) -> bytes:
    body = f"{STAMP} {text}".encode()
    return struct.pack(">BxxxI", output, len(body)) + body


@pytest.mark.parametrize("size", [1, 3, 7, 8, 50, 10_000])
def test_lines_do_not_depend_on_where_the_bytes_are_cut(size: int) -> None:
    log = frame("first\n") + frame("out\n", 1) + frame("second\r\n") + frame("open")
    reader, lines = EngineLogReader(), []
    for begin in range(0, len(log), size):
        lines += reader.feed(log[begin : begin + size])
    assert lines == [StampedLine(text, STAMP) for text in ("first", "out", "second")]


@pytest.mark.parametrize("size", [1, 5, 8, 10_000])
def test_the_log_of_a_container_with_a_terminal_has_no_frames(size: int) -> None:
    log = f"{STAMP} first\r\n{STAMP} second\r\n".encode()
    reader, lines = EngineLogReader(), []
    for begin in range(0, len(log), size):
        lines += reader.feed(log[begin : begin + size])
    assert lines == [StampedLine("first", STAMP), StampedLine("second", STAMP)]


def test_a_line_without_an_end_needs_no_more_memory() -> None:
    reader = EngineLogReader()
    part = frame("x" * 16_000)
    tracemalloc.start()
    try:
        for _ in range(6000):
            assert reader.feed(part) == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 500_000
    (line,) = reader.feed(frame("\n"))
    assert len(line.text) < 4100
    assert reader.feed(frame("next\n")) == [StampedLine("next", STAMP)]


def test_binary_and_colours_become_text() -> None:
    reader = LineReader()
    assert reader.feed(b"\xff\xfe\0\x1b[31mred\x1b[0m\n\x1b]0;title\x07\n") == [
        "\ufffd\ufffd\0red",
        "\x1b]0;title\x07",
    ]


def test_a_line_without_a_time_is_a_line() -> None:
    assert EngineLogReader().feed(b"no-time-here-at-all\n")[0].when == "no-time-here-at-all"
