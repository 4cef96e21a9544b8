"""Say that a long wait goes on: every second at a terminal, elsewhere now and then a plain line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.text.phrases import exact_duration

if TYPE_CHECKING:
    from dartsctl.workflows.deps import Deps

_LIVE_PAUSE = 1.0
"""Seconds of silence at a terminal until a line says what goes on. Then it is renewed."""
_FIRST_SILENCE = 10.0
_NEXT_SILENCE = 30.0
"""Seconds of silence until a plain line says what goes on, and until the next one does."""


class SignsOfLife:
    """What is said in one long wait while nothing else is."""

    def __init__(self, deps: Deps) -> None:
        self._screen = deps.screen
        self._monotonic = deps.monotonic
        self._words = ""
        self._since = self._said_at = deps.monotonic()
        self._pause = _FIRST_SILENCE

    def said(self, line: str) -> None:
        """Show a line of the work itself."""
        self._screen.progress(line)
        self._said_at = self._monotonic()
        self._pause = _FIRST_SILENCE

    def passed(self, line: str) -> None:
        """Show a line that only a terminal keeps for a moment."""
        self._screen.status(line)
        if self._screen.is_live:
            self._said_at = self._monotonic()

    def tick(self, words: str) -> None:
        """Show what is done, and for how long, if nothing was said for a while."""
        now = self._monotonic()
        if words != self._words:
            self._words, self._since = words, now
        silence = now - self._said_at
        line = f"{words} ({exact_duration(now - self._since)})"
        if self._screen.is_live and silence >= _LIVE_PAUSE:
            self._screen.status(line)
            self._said_at = now
        elif not self._screen.is_live and silence >= self._pause:
            self._screen.progress(line)
            self._said_at = now
            self._pause = _NEXT_SILENCE

    def end(self) -> None:
        """Remove the line at a terminal."""
        self._screen.status("")
