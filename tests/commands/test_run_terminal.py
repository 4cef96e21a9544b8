"""`run` at a terminal: Ctrl-C, Ctrl-Z, the keyboard, and a terminal that closes.

Real pseudo-terminals, and a real shell for job control.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

Tree = Callable[[], set[int]]
Eventually = Callable[[Callable[[], Any]], Any]
Terminal = Callable[..., "pexpect.spawn[str]"]

COUNTS_INTERRUPTS = """
import signal, sys, time
interrupts = []
signal.signal(signal.SIGINT, lambda *_: interrupts.append(1))
print("ready", flush=True)
while not interrupts:
    time.sleep(0.01)
time.sleep(0.3)
sys.exit(40 + len(interrupts))
"""
STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: print("not yet", flush=True))
print("ready", flush=True)
while True:
    time.sleep(1)
"""


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    opened: list[pexpect.spawn[str]] = []

    def open_terminal(*argv: str) -> pexpect.spawn[str]:
        child: pexpect.spawn[str] = pexpect.spawn(
            argv[0], list(argv[1:]), encoding="utf-8", timeout=60
        )
        opened.append(child)
        return child

    yield open_terminal
    for child in opened:
        child.close(force=True)


def ended(child: pexpect.spawn[str]) -> int:
    child.expect(pexpect.EOF)
    child.wait()
    return child.exitstatus if child.exitstatus is not None else -(child.signalstatus or 0)


def test_ctrl_c_reaches_the_server_exactly_once(
    terminal: Terminal, argv: Callable[..., list[str]], tree: Tree
) -> None:
    child = terminal(*argv(sys.executable, "-c", COUNTS_INTERRUPTS))
    child.expect("ready")
    child.sendintr()
    assert ended(child) == 41
    assert tree() == set()


def test_an_interrupt_by_kill_reaches_the_server_exactly_once(
    terminal: Terminal, argv: Callable[..., list[str]]
) -> None:
    child = terminal(*argv(sys.executable, "-c", COUNTS_INTERRUPTS))
    child.expect("ready")
    child.kill(signal.SIGINT)
    assert ended(child) == 41


def test_a_second_ctrl_c_kills_at_once(
    terminal: Terminal, argv: Callable[..., list[str]], tree: Tree, eventually: Eventually
) -> None:
    """The kernel merges a signal with an equal one that is still pending: the first comes first."""
    child = terminal(*argv(sys.executable, "-c", STUBBORN))
    child.expect("ready")
    child.sendintr()
    child.expect("not yet")
    assert eventually(lambda: not any(map(_has_pending_interrupt, tree())))
    child.sendintr()
    assert ended(child) == 137
    assert tree() == set()


def test_the_server_reads_the_keyboard_and_sees_a_terminal(
    terminal: Terminal, argv: Callable[..., list[str]]
) -> None:
    child = terminal(
        *argv(
            "sh",
            "-c",
            "test -t 0 && test -t 1 && test -t 2 && echo ready; read line; echo got $line; exit 3",
        )
    )
    child.expect("ready")
    child.sendline("words")
    child.expect("got words")
    assert ended(child) == 3


def test_the_whole_tree_ends_when_the_terminal_closes(
    terminal: Terminal, argv: Callable[..., list[str]], tree: Tree, eventually: Eventually
) -> None:
    child = terminal(
        *argv("sh", "-c", f"{sys.executable} -c 'import time; time.sleep(300)' & echo ready; wait")
    )
    child.expect("ready")
    child.close(force=False)
    assert eventually(lambda: tree() == set())


def test_ctrl_z_returns_to_the_shell_and_fg_continues_the_server(
    terminal: Terminal, argv: Callable[..., list[str]], tree: Tree, eventually: Eventually
) -> None:
    shell = terminal("bash", "--norc", "--noprofile", "-i")
    shell.sendline("PS1='at-the-''prompt '; bind 'set enable-bracketed-paste off'")
    shell.expect("at-the-prompt ")
    shell.sendline(shlex.join(argv(sys.executable, "-c", COUNTS_INTERRUPTS)))
    shell.expect("ready\r\n")
    shell.send("\x1a")
    shell.expect("Stopped")
    shell.sendline("fg")
    shell.expect("server_driver")
    eventually(lambda: _foreground_group(shell) != shell.pid)
    shell.sendintr()
    shell.expect("at-the-prompt ")
    shell.sendline("echo code=$?")
    shell.expect("code=41")
    shell.sendline("exit")
    ended(shell)
    assert eventually(lambda: tree() == set())


def test_a_server_that_stops_itself_returns_to_the_shell_too(
    terminal: Terminal, argv: Callable[..., list[str]], tree: Tree
) -> None:
    """`suspend` does that in `dartsctl run -- bash`."""
    shell = terminal("bash", "--norc", "--noprofile", "-i")
    shell.sendline("PS1='at-the-''prompt '; bind 'set enable-bracketed-paste off'")
    shell.expect("at-the-prompt ")
    shell.sendline(shlex.join(argv("sh", "-c", "kill -STOP $$; exit 42")))
    shell.expect("Stopped")
    shell.sendline("fg; echo code=$?")
    shell.expect("code=42")
    shell.sendline("exit")
    ended(shell)
    assert tree() == set()


def test_a_background_job_does_not_take_the_terminal(
    terminal: Terminal, argv: Callable[..., list[str]]
) -> None:
    shell = terminal("bash", "--norc", "--noprofile", "-i")
    shell.sendline("PS1='at-the-''prompt '; bind 'set enable-bracketed-paste off'")
    shell.expect("at-the-prompt ")
    shell.sendline(shlex.join(argv(sys.executable, "-c", COUNTS_INTERRUPTS)) + " & ")
    shell.expect("ready\r\n")
    shell.sendline("echo still-''here")
    shell.expect("still-here")
    shell.sendline("kill -INT %1; wait %1; echo code=$?")
    shell.expect("code=41")


def _foreground_group(shell: pexpect.spawn[str]) -> int:
    return os.tcgetpgrp(shell.child_fd)


def _has_pending_interrupt(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
    pending = int(status.partition("ShdPnd:")[2].split()[0], 16)
    return bool(pending >> (signal.SIGINT - 1) & 1)
