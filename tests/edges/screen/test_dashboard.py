"""The dashboard at a real terminal: what it shows, and how it leaves it (edge-cases.md#92)."""

from __future__ import annotations

import os
import re
import sys
import termios
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from dartsctl.edges.screen.page import ASCII, Glyphs, fit
from dartsctl.workflows.watch.overview import page_of
from fakes.terminal import FakeTerminal
from fakes.watch_views import incident

PROGRAM = """
import sys, threading
from dartsctl.records import replace
from dartsctl.alerts.state import Message
from dartsctl.edges.screen.output import Screen
from dartsctl.workflows.watch.dashboard import DashboardOutput
from fakes.watch_views import NOW, episode, incident, service

view = incident()
if "hostile" in sys.argv:
    name = "\\x1b[2J\\x1b]0;title\\x07\\x9b31m\\u202e[bold]\\r\\nDB_PASSWORD=canary"
    view = replace(view, services=(service(name),), notes=(name,), project=name, engine=name)
stop = threading.Event()
screen = Screen()
assert screen.can_show_dashboard
output = DashboardOutput(screen, view, clock=lambda: NOW, on_end=stop.set, pause=0.1)
output.view(view)
output.message(Message("opened", episode(), NOW))
screen.warn("a warning of another part")
code = 0
try:
    while not stop.wait(0.05):
        pass
except KeyboardInterrupt:
    code = 130
try:
    output.close()
except BrokenPipeError:
    code = 99
sys.exit(code)
"""
ROOT = Path(__file__).parents[3]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT / 'tests'}",
    "TERM": "xterm-256color",
    "PYTHONIOENCODING": "utf-8",
}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "program.py"
    file.write_text(textwrap.dedent(PROGRAM))
    return file


class Session:
    """A program at a terminal, which shows what it has written."""

    def __init__(self, command: list[str], *, size: tuple[int, int], **variables: str) -> None:
        environment: Any = {**ENVIRONMENT, **variables}
        self.child = pexpect.spawn(
            command[0],
            command[1:],
            env=environment,
            dimensions=size,
            encoding="utf-8",
            timeout=60,
        )
        self.terminal = FakeTerminal()
        self.written = ""

    def until(self, is_so: Callable[[FakeTerminal], object]) -> None:
        """Read until something is shown."""
        deadline = time.monotonic() + 60
        while not is_so(self.terminal):
            assert time.monotonic() < deadline, self.terminal.text
            self.read(1)

    def read(self, seconds: float) -> str:
        """Read what is written within some time."""
        try:
            data = str(self.child.read_nonblocking(65536, timeout=seconds))
        except (pexpect.TIMEOUT, pexpect.EOF):
            return ""
        self.written += data
        self.terminal.feed(data)
        return data

    def end(self) -> int:
        """Read to the end, and return the exit code."""
        while self.child.isalive() or self.read(0.2):
            self.read(0.2)
        self.child.close()
        return int(self.child.exitstatus or 0)


Start = Callable[..., Session]


@pytest.fixture
def start(program: Path) -> Iterator[Start]:
    sessions: list[Session] = []

    def run(*words: str, size: tuple[int, int] = (24, 80), **variables: str) -> Session:
        session = Session([sys.executable, str(program), *words], size=size, **variables)
        sessions.append(session)
        return session

    yield run
    for session in sessions:
        session.child.close(force=True)


def is_complete(terminal: FakeTerminal) -> bool:
    return terminal.is_alternate and "Ctrl-C ends the watch" in terminal.text[-1:]


def expected(width: int, height: int, glyphs: Glyphs) -> list[str]:
    """Return the first lines of the page: those that do not depend on events."""
    lines = fit(page_of(incident(), [], glyphs), width, height, glyphs)
    return ["".join(cell.text for cell in line).rstrip() for line in lines][: height // 2]


def test_it_shows_the_page_and_leaves_the_terminal_as_it_was(start: Start) -> None:
    session = start()
    before = termios.tcgetattr(session.child.child_fd)
    session.until(is_complete)
    assert session.terminal.text[:12] == expected(80, 24, Glyphs())
    assert session.terminal.has_cursor is False
    assert not termios.tcgetattr(session.child.child_fd)[3] & termios.ECHO
    session.child.sendintr()
    session.until(lambda terminal: "warning: a warning of another part\r\n" in terminal.after)
    assert termios.tcgetattr(session.child.child_fd) == before
    assert session.end() == 130
    terminal = session.terminal
    assert (terminal.is_alternate, terminal.has_cursor, terminal.wraps) == (False, True, True)
    assert "ALERT darts-app is down because" in terminal.after


def test_it_follows_the_size_of_the_terminal(start: Start) -> None:
    session = start()
    session.until(is_complete)
    for height, width in ((15, 40), (40, 120)):
        session.child.setwinsize(height, width)
        session.until(
            lambda terminal: terminal.text[0].startswith("prod") and is_complete(terminal)
        )
        wanted = expected(width, height, Glyphs())
        session.until(lambda terminal, wanted=wanted: terminal.text[: len(wanted)] == wanted)  # type: ignore[misc]


def test_nothing_is_written_where_nothing_has_changed(start: Start) -> None:
    session = start(size=(50, 80))
    session.until(lambda terminal: "a warning of another part" in "".join(terminal.text))
    assert session.read(0.5) == ""


def test_no_text_from_outside_controls_the_terminal(start: Start) -> None:
    """FakeTerminal knows no other sequences than the dashboard's own."""
    session = start("hostile", size=(40, 200))
    session.until(is_complete)
    session.child.sendintr()
    session.end()
    assert "canary" not in session.written
    assert "\\x1b[2J" in session.written
    assert "[bold]" in session.written


def test_without_colours_it_is_readable(start: Start) -> None:
    session = start(NO_COLOR="1")
    session.until(is_complete)
    assert session.terminal.text[:12] == expected(80, 24, Glyphs())
    colours = re.compile(r"(?:^|;)(?:[34][0-7]|9[0-7]|10[0-7])(?:;|$)")
    assert [style for style in session.terminal.styles if colours.search(style)] == []


def test_without_unicode_it_is_ascii(start: Start) -> None:
    session = start(PYTHONIOENCODING="ascii")
    session.until(is_complete)
    assert session.written.isascii()
    assert session.terminal.text[:12] == expected(80, 24, ASCII)


def test_a_stopped_terminal_does_not_keep_it_from_ending(start: Start) -> None:
    session = start()
    session.until(is_complete)
    session.child.send("\x13")  # Ctrl-S
    session.child.setwinsize(30, 100)
    session.read(0.5)
    session.child.sendintr()
    assert session.end() == 130


def test_a_terminal_that_closes_ends_it(program: Path, tmp_path: Path) -> None:
    code = tmp_path / "code"
    script = f"trap '' HUP; {sys.executable} {program}; echo $? >{code}"
    session = Session(["/bin/sh", "-c", script], size=(24, 80))
    session.until(is_complete)
    os.close(session.child.child_fd)  # the terminal's window is gone
    deadline = time.monotonic() + 60
    while not code.exists() or not code.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert code.read_text().strip() == "99"
    session.child.closed = True


def test_ctrl_z_gives_the_terminal_to_the_shell_and_fg_draws_again(program: Path) -> None:
    session = Session(["/bin/bash", "--norc", "--noprofile", "-i"], size=(24, 80), PS1="$ ")
    session.child.sendline(f"{sys.executable} {program}")
    session.until(is_complete)
    session.child.send("\x1a")
    session.until(lambda terminal: "Stopped" in terminal.after)
    assert session.terminal.has_cursor
    assert not session.terminal.is_alternate
    session.child.sendline("stty -a | grep -o ' echo '; echo done-$((6*7))")
    session.until(lambda terminal: "done-42" in terminal.after)
    assert " echo \r\n" in session.terminal.after
    session.terminal.lines.clear()
    session.child.sendline("fg")
    session.until(is_complete)
    assert session.terminal.text[:12] == expected(80, 24, Glyphs())
    session.child.sendintr()
    session.until(lambda terminal: not terminal.is_alternate)
    session.child.sendline("exit")
    session.child.close(force=True)
