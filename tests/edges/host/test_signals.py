"""A signal reaches only the process that was seen, and only while it is wanted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from dartsctl.edges.host import processes, signals
from dartsctl.errors import DartsctlError, Refused
from dartsctl.ports.process import Process
from dartsctl.records import replace

Start = Callable[..., "subprocess.Popen[bytes]"]


def described(pid: int) -> Process:
    process = processes.describe(pid)
    assert process is not None
    return process


def send(process: Process, number: signal.Signals = signal.SIGTERM, *, wanted: bool = True) -> bool:
    return signals.send(process, number, birth_of=processes.birth, still_wanted=lambda: wanted)


def test_the_process_that_was_seen_gets_the_signal(start: Start) -> None:
    child = start("sleep", "60")
    assert send(described(child.pid))
    assert child.wait(60) == -signal.SIGTERM


def test_a_reused_pid_is_not_signalled(
    start: Start,
) -> None:  # edge-cases.md#24
    child = start("sleep", "60")
    process = described(child.pid)
    assert not send(replace(process, birth=process.birth - 1))
    assert child.poll() is None


def test_a_signal_that_is_no_longer_wanted_is_not_sent(start: Start) -> None:
    child = start("sleep", "60")
    assert not send(described(child.pid), wanted=False)
    assert child.poll() is None


def test_a_process_that_has_gone_is_no_error(start: Start) -> None:  # edge-cases.md#24
    child = start("sleep", "60")
    process = described(child.pid)
    child.kill()
    child.wait()
    assert not send(process)


def test_a_process_that_ends_just_before_the_signal_is_no_error(
    start: Start,
) -> None:  # edge-cases.md#24
    child = start("sleep", "60")

    def ends() -> bool:
        child.kill()
        child.wait()
        return True

    assert not signals.send(
        described(child.pid), signal.SIGTERM, birth_of=processes.birth, still_wanted=ends
    )


def test_a_stopped_process_is_continued_and_ends(start: Start) -> None:  # edge-cases.md#23
    child = start("sleep", "60")
    child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
    assert described(child.pid).status == "stopped"
    assert send(described(child.pid))
    assert child.wait(60) == -signal.SIGTERM


def test_sigkill_ends_a_process_that_ignores_sigterm(start: Start) -> None:
    child = start(
        sys.executable,
        "-c",
        "import signal,time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)",
    )
    assert child.stdout is not None
    child.stdout.readline()
    assert send(described(child.pid))
    assert child.poll() is None
    assert send(described(child.pid), signal.SIGKILL)
    assert child.wait(60) == -signal.SIGKILL


@pytest.mark.parametrize(
    "pid", [1, 0, -1, os.getpid()], ids=["init", "our group", "every process", "this process"]
)
def test_pid_1_process_groups_and_this_process_are_refused(
    pid: int,
) -> None:  # edge-cases.md#25
    with pytest.raises(Refused):
        signals.send(
            Process(pid, "x", 1), signal.SIGTERM, birth_of=lambda _: 1, still_wanted=lambda: True
        )


def test_for_another_users_process_the_hint_is_the_sudo_command(start: Start) -> None:
    if os.geteuid():
        pytest.skip("needs root to play another user")
    child = start("sleep", "60")
    process = described(child.pid)
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        os.setresuid(65534, 65534, 65534)
        try:
            send(process)
        except DartsctlError as error:
            os.write(writing, f"{error.message}|{error.hint}".encode())
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(writing)
    with os.fdopen(reading) as file:
        message, hint = file.read().split("|")
    assert message == f"cannot stop pid {child.pid}: it belongs to another user"
    assert hint == f"sudo kill {child.pid}"
    assert child.poll() is None


def test_it_works_without_pidfds_too(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    child = start("sleep", "60")
    process = described(child.pid)
    with monkeypatch.context() as patch:
        patch.delattr(os, "pidfd_open")  # macOS has none
        assert not send(replace(process, birth=process.birth - 1))
        assert send(process)
    assert child.wait(60) == -signal.SIGTERM
    monkeypatch.delattr(os, "pidfd_open")
    assert not send(process)
