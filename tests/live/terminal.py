"""dartsctl in a pseudo-terminal: its prompts are read from the screen and answered by keys.

A pytest plugin: `pytest_plugins = ("live.stack", "live.terminal")` gives a test the fixture
`terminal`.
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
    """One dartsctl and its user. Every step waits for text, at most `patience` seconds."""

    def __init__(self, child: pexpect.spawn[str]) -> None:
        self.child = child
        self.seen = ""

    def sees(self, words: str, *, patience: float = 60) -> str:
        """Wait for `words` (no pattern). Return what was shown since the last call, up to them."""
        return self._until(re.escape(words), patience)

    def menu(self, *, patience: float = 60) -> tuple[str, list[str]]:
        """Wait for a prompt with choices. Return the question and the choices, top to bottom."""
        above = self._until(r"\(arrow keys\)", patience)
        below = self._until("abort; nothing is changed", patience)
        question = above.splitlines()[-1].removeprefix("? ").removesuffix("(arrow keys)").strip()
        return question, [line.strip(" »") for line in below.splitlines() if line.strip()]

    def chooses(self, words: str, *, patience: float = 60) -> str:
        """Wait for a prompt, take the choice that starts with `words`, return the question."""
        question, lines = self.menu(patience=patience)
        number = next((place for place, line in enumerate(lines) if line.startswith(words)), None)
        assert number is not None, f"{words!r} is not offered: {question} {lines}"
        self.takes(number)
        return question

    def takes(self, number: int) -> None:
        """Take the choice with this number in the prompt that `menu` has read."""
        self.child.send(_DOWN * number + _ENTER)

    def types(self, words: str) -> None:
        """Type a line and send it."""
        self.child.send(words + _ENTER)

    def interrupts(self) -> None:
        """Ctrl-C."""
        self.child.sendintr()

    def ends(self, *, patience: float = 60) -> int:
        """Wait for the end, and return the exit code."""
        self._until([pexpect.EOF, r"\(arrow keys\)\s[^?]*?abort; nothing is changed"], patience)
        assert self.child.after is pexpect.EOF, f"another prompt:\n{self.seen}"
        self.child.wait()
        assert "Traceback" not in self.seen
        if self.child.exitstatus is None:
            return -(self.child.signalstatus or 0)
        return self.child.exitstatus

    def _until(self, pattern: Any, patience: float) -> str:
        try:
            self.child.expect(pattern, timeout=patience)
        except (pexpect.TIMEOUT, pexpect.EOF):
            shown = _ESCAPE.sub("", str(self.child.before))
            pytest.fail(
                f"no {pattern!r} within {patience:.0f} s:\n{self.seen}\n--- since then\n{shown}"
            )
        after = self.child.after if isinstance(self.child.after, str) else ""
        shown = _ESCAPE.sub("", f"{self.child.before}{after}")
        self.seen += shown
        return shown


@pytest.fixture
def terminal(live: LiveStack) -> Iterator[Callable[..., Terminal]]:
    """A function that starts a dartsctl in a terminal: `terminal("prod", "up", cwd=...)`.

    It runs in the test's folder. The terminal is wide enough that no line is wrapped.
    """
    opened: list[pexpect.spawn[str]] = []

    def start(*words: str | Path, cwd: Path | None = None, **variables: str) -> Terminal:
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

    yield start
    for child in opened:
        if child.isalive():
            child.kill(signal.SIGTERM)  # dartsctl ends what it has started
        child.close(force=True)
