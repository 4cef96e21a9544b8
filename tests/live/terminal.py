"""A person at a terminal: dartsctl under a pseudo-terminal, its questions read off the screen and answered with arrow keys.

A pytest plugin like live.stack: `pytest_plugins = ("live.stack", "live.terminal")` gives a test the fixture `terminal`.
"""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pexpect
import pytest

if TYPE_CHECKING:
    from live.stack import LiveStack

_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>78])|\r")
_DOWN, _ENTER = "\x1b[B", "\r"


class Terminal:
    """One dartsctl and the person in front of it. Nothing here sleeps: every step waits for text, `patience` seconds at most."""

    def __init__(self, child: pexpect.spawn[str]) -> None:
        self.child = child
        self.seen = ""

    def sees(self, words: str, *, patience: float = 60) -> str:
        """Wait for `words` (as they are, no pattern); what was shown since the last look, up to and with them."""
        return self._until(re.escape(words), patience)

    def menu(self, *, patience: float = 60) -> tuple[str, list[str]]:
        """Wait for a question with choices; the question, and the choices from top to bottom."""
        above = self._until(r"\(arrow keys\)", patience)
        below = self._until("abort; nothing is changed", patience)
        question = above.splitlines()[-1].removeprefix("? ").removesuffix("(arrow keys)").strip()
        return question, [line.strip(" »") for line in below.splitlines() if line.strip()]

    def chooses(self, words: str, *, patience: float = 60) -> str:
        """Wait for a question, take the choice that begins with `words`; the question."""
        question, lines = self.menu(patience=patience)
        number = next((place for place, line in enumerate(lines) if line.startswith(words)), None)
        assert number is not None, f"{words!r} is not offered: {question} {lines}"
        self.takes(number)
        return question

    def takes(self, number: int) -> None:
        """Take the choice with this number of the question that `menu` has read."""
        self.child.send(_DOWN * number + _ENTER)

    def types(self, words: str) -> None:
        """Type a line and send it."""
        self.child.send(words + _ENTER)

    def interrupts(self) -> None:
        """Ctrl-C."""
        self.child.sendintr()

    def ends(self, *, patience: float = 60) -> int:
        """Wait for the end; the exit code."""
        self._until([pexpect.EOF, r"\(arrow keys\)\s[^?]*?abort; nothing is changed"], patience)
        assert self.child.after is pexpect.EOF, f"one more question:\n{self.seen}"
        self.child.wait()
        assert "Traceback" not in self.seen
        return (
            self.child.exitstatus
            if self.child.exitstatus is not None
            else -(self.child.signalstatus or 0)
        )

    def _until(self, pattern: Any, patience: float) -> str:
        try:
            self.child.expect(pattern, timeout=patience)
        except (pexpect.TIMEOUT, pexpect.EOF):
            shown = _ESCAPE.sub("", str(self.child.before))
            pytest.fail(
                f"no {pattern!r} within {patience:.0f} s:\n{self.seen}\n--- since then\n{shown}"
            )
        shown = _ESCAPE.sub(
            "",
            f"{self.child.before}{self.child.after if isinstance(self.child.after, str) else ''}",
        )
        self.seen += shown
        return shown


@pytest.fixture
def terminal(live: LiveStack) -> Iterator[Callable[..., Terminal]]:
    """`terminal("prod", "up", cwd=...)`: a dartsctl in the test's folder at a terminal wide enough that no line is broken."""
    opened: list[pexpect.spawn[str]] = []

    def sit_down(*words: str | Path, cwd: Path | None = None, **variables: str) -> Terminal:
        environ = {**live.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", **variables}
        argv = ["-m", "dartsctl", *map(str, words)]
        child: pexpect.spawn[str] = pexpect.spawn(
            sys.executable,
            argv,
            cwd=str(cwd or live.folder),
            env=environ,
            dimensions=(60, 600),
            encoding="utf-8",
            codec_errors="replace",
        )
        opened.append(child)
        return Terminal(child)

    yield sit_down
    for child in opened:
        if child.isalive():
            child.kill(signal.SIGTERM)  # dartsctl ends what it has started
        child.close(force=True)
