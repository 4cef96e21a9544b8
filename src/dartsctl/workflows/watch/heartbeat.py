"""The dead-man's switch: a ping on an interval, while the loop is alive.

A receiver such as healthchecks.io raises the alarm when no ping comes. So a ping is sent only if
the loop has turned since the last one: a watch that hangs is as silent as a dead one. A clean end
sends nothing: nobody watches then, and the receiver says so unless a new watch begins in time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dartsctl.edges.http.ping import Ping


_PAUSE = 0.5
"""Seconds between two looks whether this is the end."""


class SendPing(Protocol):
    """Sends a signal to a URL within a deadline. Never raises."""

    def __call__(self, url: str, signal: Ping) -> str:
        """Return why it was not taken, or nothing."""


class Heartbeat:
    """Pings from a thread of its own, so that a slow receiver delays nothing."""

    def __init__(
        self,
        url: str,
        interval: float,
        *,
        send: SendPing,
        note: Callable[[str], None] = lambda _: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`interval`: seconds. `note` is called when the receiver fails, and when it is back."""
        self._url = url
        self._interval = interval
        self._send = send
        self._note = note
        self._monotonic = monotonic
        self._stop = threading.Event()
        self._turned = threading.Event()
        self._is_failing = False

    def begin(self) -> None:
        """Start to ping: first the signal that the watch has started."""
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def turned(self) -> None:
        """Take note that the loop has turned."""
        self._turned.set()

    def fail(self) -> None:
        """Signal that the watch itself cannot go on, and end. Waits for the receiver's answer."""
        self._stop.set()
        self._ping("fail")

    def end(self) -> None:
        """End, and signal nothing."""
        self._stop.set()

    def _run(self) -> None:
        self._ping("start")
        while self._has_turned():
            began = self._monotonic()
            self._ping("success")
            self._stop.wait(self._interval - (self._monotonic() - began))

    def _has_turned(self) -> bool:
        """Wait until the loop turns; return False at the end."""
        self._turned.clear()
        while not self._stop.is_set():
            if self._turned.wait(_PAUSE):
                return not self._stop.is_set()
        return False

    def _ping(self, signal: Ping) -> None:
        try:
            problem = self._send(self._url, signal)
        except Exception as error:  # a bug must not stop the pings; the text may be a secret
            problem = f"cannot be used: {type(error).__name__}"
        if signal != "success":  # not every receiver knows the other signals
            return
        if problem and not self._is_failing:
            self._note(f"the heartbeat's receiver {problem}")
        elif self._is_failing and not problem:
            self._note("the heartbeat's receiver answers again")
        self._is_failing = bool(problem)
