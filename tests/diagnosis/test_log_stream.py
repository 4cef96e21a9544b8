"""Reading the engine's log stream: frames, plain text, times, cut frames."""

from __future__ import annotations

import struct
import time

from dartsctl.diagnosis.log_stream import LogLine, lines, output


def frame(kind: int, text: str) -> bytes:
    body = text.encode()
    return struct.pack(">B3xI", kind, len(body)) + body


def test_frames_of_stdout_and_stderr_come_in_their_order() -> None:
    rows = lines(frame(1, "one\n") + frame(2, "two\r\n") + frame(1, "three\nfour\n"))
    assert rows == (
        LogLine("one"),
        LogLine("two", stream="stderr"),
        LogLine("three"),
        LogLine("four"),
    )


def test_a_terminals_log_has_no_frames() -> None:
    assert lines(b"plain\r\ntext\r\n") == (LogLine("plain"), LogLine("text"))
    assert lines(b"x") == (LogLine("x"),)
    assert lines(b"\x01 looks like a header, and is text") == (
        LogLine("\x01 looks like a header, and is text"),
    )


def test_the_engine_s_times_are_separated_from_the_lines() -> None:
    assert lines(frame(2, "2026-01-02T03:04:05.678Z it hurts\n"), timestamps=True) == (
        LogLine("it hurts", "2026-01-02T03:04:05.678Z", "stderr"),
    )


def test_an_empty_log_has_no_lines_and_a_cut_frame_keeps_what_is_there() -> None:
    assert lines(b"") == ()
    assert lines(frame(1, "one\n") + frame(1, "two and more\n")[:11]) == (
        LogLine("one"),
        LogLine("two"),
    )
    assert lines(frame(1, "caf\u00e9\n").replace("\u00e9".encode(), b"\xff\xfe")) == (
        LogLine("caf\ufffd\ufffd"),
    )


def test_output_in_very_many_frames_is_joined_in_linear_time() -> None:
    begun = time.process_time()
    assert output(frame(1, "x") * 400_000 + frame(2, "y")) == ("x" * 400_000, "y")
    assert time.process_time() - begun < 5
