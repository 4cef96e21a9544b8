"""Lines on stdout for as long as somebody reads them, written in a thread of their own.

A full pipe, or a terminal that was stopped with Ctrl-S, holds up this thread and nobody else.
"""

from __future__ import annotations

import errno
import json
import os
import queue
import select
import threading
from typing import TYPE_CHECKING, Any, TextIO

from dartsctl.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dartsctl.text.masker import Masker

MOST_WAITING = 10_000
"""Lines that wait for a reader who is too slow. Those after them are dropped, and counted."""
LOOK_EVERY = 2.0
"""Seconds after which a quiet stream looks whether its reader has gone."""
_CLOSING = 1.0
_ENDED = {errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO, errno.ECONNRESET}
"""Errors of a reader who has gone or a closed terminal. Others may pass: a full disk."""
_CODES = {"ok": "32", "bad": "1;31", "unknown": "33", "dim": "2"}


@record
class Event:
    """Something that happened: a line, and indented lines about it."""

    clock: str
    label: str
    """`ALERT`, or empty."""
    mark: str
    """ok, bad, unknown, dim or empty: how the label is coloured."""
    text: str
    details: tuple[tuple[str, str], ...] = ()
    """Each with its label, such as `cause`; without one it is a line of evidence."""


class LineStream:
    """Events or JSON lines on a stream. `on_end` is called in its thread when the reader has gone.

    After that nothing more is written, and `close` raises BrokenPipeError.
    """

    def __init__(
        self,
        stream: TextIO | None,
        *,
        masker: Masker,
        is_colored: bool,
        on_end: Callable[[], None],
        most_waiting: int = MOST_WAITING,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._masker = masker
        self._is_colored = is_colored
        self._on_end = on_end
        self._most_waiting = most_waiting
        self._look_every = look_every
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._sink = _Sink(stream)
        self._waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._dropped = 0
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="lines", daemon=True)
        self._thread.start()

    def event(self, event: Event) -> None:
        """Write an event. Never blocks."""
        self._put(event_text(event, masker=self._masker, is_colored=self._is_colored))

    def document(self, document: Mapping[str, Any]) -> None:
        """Write a JSON document on one line. Never blocks."""
        # ASCII, which every encoding can write
        text = json.dumps(self._masker.document(document), separators=(",", ":"), allow_nan=False)
        self._put(text + "\n")

    @property
    def dropped(self) -> int:
        """How many events and documents were not written."""
        return self._dropped

    def close(self) -> None:
        """Write what waits, for a second at most. Raises BrokenPipeError if the reader has gone."""
        self._waiting.put(None)
        self._thread.join(_CLOSING)
        if self._failure:
            raise BrokenPipeError(errno.EPIPE, "the reader has gone") from self._failure

    def _put(self, text: str) -> None:
        if self._failure or self._waiting.qsize() >= self._most_waiting:
            self._dropped += 1
            return
        self._waiting.put(text.encode(self._encoding, "backslashreplace"))

    def _run(self) -> None:
        while True:
            try:
                data = self._waiting.get(timeout=self._look_every)
            except queue.Empty:
                data = b""
            if data is None:
                return
            try:
                self._sink.write(data)
            except OSError as error:
                if error.errno in _ENDED and not self._sink.is_journal:
                    self._failure = error
                    self._on_end()
                    return
                self._dropped += bool(data)


def event_text(event: Event, *, masker: Masker, is_colored: bool) -> str:
    """Return an event as the lines that a person reads."""
    label = event.label
    if label and is_colored and event.mark in _CODES:
        label = f"\033[{_CODES[event.mark]}m{label}\033[0m"
    words = [word for word in (event.clock, label, masker.line(event.text)) if word]
    text = " ".join(words) + "\n"
    for name, detail in event.details:
        mark = "|"
        if name:
            mark = f"{name}:"
        text += f"  {mark} {masker.line(detail)}\n"
    return text


class _Sink:
    """Where the bytes go: straight to the file descriptor.

    A thread that waits inside a buffered stream would hold its lock, and the interpreter's end
    fails without it.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._descriptor: int | None = None
        try:
            self._descriptor = stream.fileno() if stream else None
        except (OSError, ValueError):  # not a real file
            self._descriptor = None

    @property
    def is_journal(self) -> bool:
        """Whether it is systemd's journal: a service goes on without it, as without a disk."""
        if self._descriptor is None:
            return False
        try:
            status = os.fstat(self._descriptor)
        except OSError:
            return False
        return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"

    def write(self, data: bytes) -> None:
        """Write all of `data`; without data look whether there is a reader. Raises OSError."""
        if self._descriptor is None:
            if self._stream:
                self._stream.write(data.decode(self._stream.encoding or "utf-8"))
            return
        if not data:
            _raise_without_reader(self._descriptor)
        write_all(self._descriptor, data)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, also to a descriptor that another process made non-blocking."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()


def _raise_without_reader(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, 0)
    for _, event in poll.poll(0):
        if event & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
            raise BrokenPipeError(errno.EPIPE, "the reader has gone")
