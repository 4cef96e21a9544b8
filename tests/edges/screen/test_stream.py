"""Lines are written at once, and a reader who does not read, or has gone, holds up nobody.

edge-cases.md#92.
"""

from __future__ import annotations

import io
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import pytest

from dartsctl.edges.screen.stream import MOST_WAITING, Event, LineStream
from dartsctl.text.masker import Masker

FULL = Path("/dev/full")
ALERT = Event(
    "14:02:11",
    "ALERT",
    "bad",
    "darts-app: its process was killed",
    (("cause", "app-exited"), ("", "exit code 137"), ("next", "dartsctl prod logs darts-app")),
)


class Pipe:
    """A pipe with a text stream at its writing end."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        self.stream = os.fdopen(writing, "w", encoding="utf-8")
        self.ended = threading.Event()

    def lines(self, most_waiting: int = MOST_WAITING) -> LineStream:
        return LineStream(
            self.stream,
            masker=Masker(),
            is_colored=False,
            on_end=self.ended.set,
            most_waiting=most_waiting,
            look_every=0.1,
        )

    def read(self) -> str:
        return os.read(self.reading, 65536).decode()

    def close(self) -> None:
        for close in (self.stream.close, lambda: os.close(self.reading)):
            with suppress(OSError):
                close()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def test_an_event_is_there_as_soon_as_it_is_written(pipe: Pipe) -> None:
    stream = pipe.lines()
    stream.event(ALERT)
    assert pipe.read() == (
        "14:02:11 ALERT darts-app: its process was killed\n"
        "  cause: app-exited\n"
        "  | exit code 137\n"
        "  next: dartsctl prod logs darts-app\n"
    )
    stream.document({"kind": "opened", "text": "a\nb"})
    assert json.loads(pipe.read()) == {"kind": "opened", "text": "a\nb"}
    stream.close()


def test_a_reader_who_has_gone_is_noticed_without_a_line(pipe: Pipe) -> None:
    stream = pipe.lines()
    stream.event(ALERT)
    pipe.read()
    os.close(pipe.reading)
    assert pipe.ended.wait(30)
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_a_line_to_a_reader_who_has_gone_ends_the_stream(pipe: Pipe) -> None:
    stream = pipe.lines()
    os.close(pipe.reading)
    stream.event(ALERT)
    assert pipe.ended.wait(30)
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_a_full_pipe_blocks_nobody_and_what_is_too_much_is_counted(pipe: Pipe) -> None:
    stream = pipe.lines(most_waiting=50)
    for _ in range(5000):  # more than a pipe holds
        stream.event(ALERT)
    assert stream.dropped > 1000
    stream.close()
    assert pipe.read().startswith("14:02:11 ALERT")


def test_a_non_blocking_descriptor_gets_everything(pipe: Pipe) -> None:
    os.set_blocking(pipe.stream.fileno(), False)
    stream = pipe.lines()
    for _ in range(2000):
        stream.event(ALERT)
    text = ""
    while text.count("ALERT") < 2000:
        text += pipe.read()
    stream.close()


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
def test_a_full_disk_ends_nothing() -> None:
    ended = threading.Event()
    with FULL.open("w", encoding="utf-8") as file:
        stream = LineStream(file, masker=Masker(), is_colored=False, on_end=ended.set)
        stream.event(ALERT)
        stream.close()
    assert stream.dropped == 1
    assert not ended.is_set()


def test_a_service_goes_on_without_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, journal = socket.socketpair()
    status = os.fstat(ours.fileno())
    monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
    ended = threading.Event()
    with ours, ours.makefile("w", encoding="utf-8") as file:
        stream = LineStream(
            file, masker=Masker(), is_colored=False, on_end=ended.set, look_every=0.05
        )
        journal.close()
        stream.event(ALERT)
        stream.close()
        assert stream.dropped >= 1
    assert not ended.is_set()


@pytest.mark.parametrize("stream", [None, io.StringIO()], ids=["closed", "no descriptor"])
def test_a_stream_without_a_descriptor_is_no_failure(stream: TextIO | None) -> None:
    lines = LineStream(stream, masker=Masker(), is_colored=False, on_end=lambda: None)
    lines.event(ALERT)
    lines.close()
    if isinstance(stream, io.StringIO):
        assert stream.getvalue().startswith("14:02:11 ALERT darts-app")
