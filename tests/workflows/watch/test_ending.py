"""The signals of a watch: a real process, with and without a terminal."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from typing import IO

import pytest

SCRIPT = """
import sys, time
from dartsctl.workflows.watch.ending import Ending
ending = Ending()
with ending.by_signals():
    print("ready", flush=True)
    while not ending.stop.is_set():
        time.sleep(0.01)
        if ending.reload.is_set():
            ending.reload.clear()
            print("reload", flush=True)
sys.exit(int(ending.code))
"""
WITH_SOURCES = SCRIPT.replace(
    "with ending",
    "import threading\n"
    "for _ in range(100):\n"
    "    threading.Thread(target=ending.stop.wait, daemon=True).start()\n"
    "with ending",
)
"""Threads that wait for the end, which takes the longer to say: another signal comes meanwhile."""
ARGV = [sys.executable, "-c", SCRIPT]


def line_of(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().strip()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_sigterm_ends_with_0_and_ctrl_c_with_130(number: signal.Signals, code: int) -> None:
    with subprocess.Popen(ARGV, stdout=subprocess.PIPE, text=True, start_new_session=True) as watch:
        assert line_of(watch.stdout) == "ready"
        watch.send_signal(number)
        assert watch.wait(timeout=60) == code


def test_sighup_without_a_terminal_reads_the_settings_again() -> None:
    with subprocess.Popen(ARGV, stdout=subprocess.PIPE, text=True, start_new_session=True) as watch:
        assert line_of(watch.stdout) == "ready"
        for _ in range(2):
            watch.send_signal(signal.SIGHUP)
            assert line_of(watch.stdout) == "reload"
        watch.terminate()


def test_signals_that_interrupt_each_other_are_taken_all_the_same() -> None:
    argv = [sys.executable, "-c", WITH_SOURCES]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True) as watch:
        assert line_of(watch.stdout) == "ready"
        for _ in range(2000):
            os.kill(watch.pid, signal.SIGTERM)
        try:
            # a late signal of the burst may come after the end, when nothing catches it any more
            assert watch.wait(timeout=60) in (0, -signal.SIGTERM)
        finally:
            watch.kill()


def test_sighup_at_a_terminal_reads_the_settings_until_the_terminal_is_closed() -> None:
    reader, writer = os.pipe()
    child, terminal = pty.fork()
    if child == 0:
        os.dup2(writer, 1)
        os.execv(sys.executable, ARGV)  # noqa: S606 - no shell
    os.close(writer)
    with os.fdopen(reader) as lines:
        assert line_of(lines) == "ready"
        os.kill(child, signal.SIGHUP)
        assert line_of(lines) == "reload"
        os.close(terminal)  # the kernel sends SIGHUP
        assert lines.read() == ""
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
