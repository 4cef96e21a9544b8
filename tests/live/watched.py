"""A real `dartsctl watch --json` beside a test's stack, and what it says.

A pytest plugin on top of live.stack.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from live.stack import LiveStack, until

MESSAGES = ("opened", "recovered")
Line = dict[str, Any]


@dataclass(frozen=True)
class Failure:
    """A failure as a test brings it about, and its end."""

    happens: Callable[[], Any]
    is_mended: Callable[[], Any]


@dataclass
class Watched:
    """The lines of one or more runs of `dartsctl watch --json` for a stack, in their order."""

    live: LiveStack
    lines: list[Line] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _readers: list[threading.Thread] = field(default_factory=list)
    _process: subprocess.Popen[str] | None = None

    def start(self, *words: str) -> None:
        """Start it with these options, and wait until its first look is over."""
        self.close()
        known = len(self.lines)
        self._process = self.live.spawn(
            [sys.executable, "-m", "dartsctl", "watch", "--json", *words],
            stderr=subprocess.PIPE,
            env=self.live.environ,
        )
        for stream, keep in ((self._process.stdout, self._keep), (self._process.stderr, self._err)):
            reader = threading.Thread(target=_read, args=(stream, keep), daemon=True)
            reader.start()
            self._readers.append(reader)
        until(lambda: any(line["kind"] == "view" for line in self.lines[known:]), say=self.text)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it, and return its exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        code = self._process.wait(timeout=60)
        assert not [line for line in self.errors if "Traceback" in line], self.text
        return code

    def close(self) -> None:
        """End it without a word, and its pipes."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    @property
    def text(self) -> str:
        shown = [line for line in self.lines if line["kind"] != "view"]
        return "\n".join([*map(json.dumps, shown), *self.errors])

    def messages(self, start: int = 0) -> list[tuple[str, str, str]]:
        """Return occasion, subject and cause of the alerts and recoveries from a line on."""
        rows = [line for line in self.lines[start:] if line["kind"] in MESSAGES]
        return [(row["kind"], subject_of(row), row["cause"]) for row in rows]

    def alerts(self, *failures: Failure) -> dict[str, Line]:
        """Let them happen at once, and return the only alert of each, by subject.

        After each alert its failure is mended, and the only recovery follows.
        """
        start = len(self.lines)
        for failure in failures:
            failure.happens()
        opened: dict[str, Line] = {}
        while len(opened) < len(failures):
            line = self.wait_for("opened", start, without=opened)
            opened[subject_of(line)] = line
        for failure in failures:
            failure.is_mended()
        for line in opened.values():  # its subject may be the cause by now
            self.wait_for("recovered", start, episode=line["episode"])
        assert len(self.messages(start)) == 2 * len(failures), self.text
        return opened

    def no_alert(self, *changes: Callable[[], Any], seconds: float = 6.0) -> None:
        """Make planned changes: nothing follows, also not when everything has settled."""
        start = len(self.lines)
        for change in changes:
            change()
        time.sleep(seconds)
        assert self.messages(start) == [], self.text

    def wait_for(
        self,
        kind: str,
        start: int = 0,
        *,
        subject: str = "",
        episode: str = "",
        without: Collection[str] = (),
    ) -> Line:
        """Return the first line of a kind from a line on, about this or none of those subjects."""

        def is_wanted(line: Line) -> bool:
            if line["kind"] != kind or (subject and subject_of(line) != subject):
                return False
            if episode and line["episode"] != episode:
                return False
            return not without or subject_of(line) not in without

        deadline = time.monotonic() + 150  # the engine starts a crash loop again within a minute
        while not (lines := list(filter(is_wanted, self.lines[start:]))):
            assert time.monotonic() < deadline, f"no {kind} {subject}{episode}\n{self.text}"
            time.sleep(0.05)
        return lines[0]

    def _keep(self, text: str) -> None:
        self.lines.append(json.loads(text))

    def _err(self, text: str) -> None:
        self.errors.append(text)


def subject_of(line: Line) -> str:
    """Return the subject of a line: `service:app`."""
    return f"{line['subject']['kind']}:{line['subject']['name']}"


def _read(stream: Any, keep: Callable[[str], None]) -> None:
    for text in stream:
        keep(text)


@pytest.fixture
def watched(live: LiveStack) -> Iterator[Watched]:
    """A watch of the test's stack, which is not started yet."""
    watch = Watched(live)
    yield watch
    watch.close()
