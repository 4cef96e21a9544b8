"""The dead-man's switch: a ping on an interval, while the loop is alive.

A receiver such as healthchecks.io raises the alarm when no ping comes. So a ping is sent only if
the loop has turned since the last one: a watch that hangs is as silent as a dead one. A clean end
sends nothing: nobody watches then, and the receiver says so unless a new watch begins in time.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

from dartsctl.workflows.watch.signals import Note

if TYPE_CHECKING:
    from collections.abc import Callable

    from dartsctl.edges.http.ping import Ping
    from dartsctl.workflows.watch.signals import Emit


_PAUSE = 0.5
"""Seconds between two looks whether this is the end."""


class SendPing(Protocol):
    """Sends a signal to a URL within a deadline. Never raises."""

    def __call__(self, url: str, signal: Ping) -> str:
        """Return why it was not taken, or nothing."""


class Heartbeat:
    """A source in form: it pings from a thread of its own, so that a slow receiver delays nothing.

    It emits a note when the receiver fails, and when it is back.
    """

    name = "heartbeat"

    def __init__(
        self,
        url: str,
        interval: float,
        *,
        send: SendPing,
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`interval`: seconds. `clock` is the watch's own, for the notes."""
        self._url = url
        self._interval = interval
        self._send = send
        self._clock = clock
        self._monotonic = monotonic
        self._turned = threading.Event()
        self._has_failed = False
        self._receiver_fails = False

    def turned(self) -> None:
        """Take note that the loop has turned. Called by the loop."""
        self._turned.set()

    def fail(self) -> None:
        """Signal that the watch itself cannot go on. Waits for the receiver's answer."""
        self._has_failed = True
        self._ping("fail")

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Signal the start, then ping on the interval until `stop` is set."""
        self._ping("start")
        while self._has_turned(stop):
            began = self._monotonic()
            self._report(self._ping("success"), emit)
            stop.wait(self._interval - (self._monotonic() - began))

    def _has_turned(self, stop: threading.Event) -> bool:
        """Wait until the loop turns; return False at the end."""
        self._turned.clear()
        while not stop.is_set() and not self._has_failed:
            if self._turned.wait(_PAUSE):
                return not stop.is_set() and not self._has_failed
        return False

    def _ping(self, signal: Ping) -> str:
        try:
            return self._send(self._url, signal)
        except Exception as error:  # a bug must not stop the pings; the text may be a secret
            return f"cannot be used: {type(error).__name__}"

    def _report(self, problem: str, emit: Emit) -> None:
        if problem and not self._receiver_fails:
            emit(Note(f"the heartbeat's receiver {problem}", self._clock()))
        elif self._receiver_fails and not problem:
            emit(Note("the heartbeat's receiver answers again", self._clock()))
        self._receiver_fails = bool(problem)
