"""`watch --reserve` on the real engine: who gets the ports, and who does not."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dartsctl.workflows.reservations import connect, read_reservations
from live.reserved_stack import Stack, has_gate

pytestmark = pytest.mark.engine

LONG = 60.0
"""Seconds: no test waits for so long if all is well."""


gated = pytest.mark.skipif(not has_gate(), reason="needs root, and BPF")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path)
    yield made
    made.remove()


def is_taken(port: int) -> bool:
    """Whether a server like werkzeug's cannot have it."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def wait_until_free(port: int) -> None:
    deadline = time.monotonic() + LONG
    while is_taken(port):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def compose(stack: Stack, *words: str) -> None:
    done = subprocess.run(
        ["docker", "compose", *words],
        cwd=stack.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def holding_pid(stack: Stack) -> int:
    connection = connect(stack.state, stack.project)
    assert connection is not None
    with connection:
        pid: int = connection.pid
    return pid


def test_it_is_named_and_free_for_its_own_stack_alone(stack: Stack, tmp_path: Path) -> None:
    other = Stack(tmp_path / "other", name="other", ports=stack.ports)
    with stack.watched() as watch:
        named = f"reserved by dartsctl watch (pid {watch.pid})"
        assert f"free, {named}" in stack.run("check").stdout
        assert f"{named} for {stack.project}" in stack.run("ports").stdout
        refused = other.run("prod", "up")
        assert refused.returncode == 3
        assert f"{named} for {stack.project}" in refused.stderr
        compose(stack, "up", "--detach")  # without dartsctl
        stopped = stack.run("prod", "up")
        assert stopped.returncode == 0, stopped.stderr
        compose(stack, "stop")
        compose(stack, "start")
    assert stack.run("prod", "down").returncode == 0
    wait_until_free(stack.ports[0])
    assert read_reservations(stack.state) == ()
    assert other.run("check").returncode == 0


@gated
def test_a_watch_that_is_killed_while_the_ports_are_released_leaves_nothing(stack: Stack) -> None:
    with stack.watched() as watch:
        connection = connect(stack.state, stack.project)
        assert connection is not None
        with connection:
            answer = connection.ask("release", within=LONG)
            assert answer is not None
            assert answer.guarded
            assert is_taken(stack.ports[0])  # by the gate alone
            watch.kill()
            wait_until_free(stack.ports[0])


def test_up_ends_a_reserving_process_that_hangs_and_goes_on(stack: Stack) -> None:
    with stack.watched() as watch:
        hung = holding_pid(stack)
        os.kill(hung, signal.SIGSTOP)
        os.kill(watch.pid, signal.SIGSTOP)
        done = stack.run("prod", "up")
        assert done.returncode == 0, done.stderr
        silence = f"the process (pid {hung}) that reserves ports for dartsctl watch"
        assert f"{silence} (pid {watch.pid}) did not answer within 2 s: ended it" in done.stderr


def test_up_gets_the_ports_of_a_watch_that_is_stopped(stack: Stack) -> None:
    with stack.watched() as watch:
        os.kill(watch.pid, signal.SIGSTOP)
        done = stack.run("prod", "up")
        assert done.returncode == 0, done.stderr
        assert "did not answer" not in done.stderr


@gated
def test_without_the_rights_for_the_gate_it_says_so_and_hands_over_late(stack: Stack) -> None:
    rights = "-sys_admin,-bpf,-net_admin,-perfmon"
    with stack.watched(through=("setpriv", f"--bounding-set={rights}", "--")) as watch:
        assert is_taken(stack.ports[0])
        done = stack.run("prod", "up")
        assert done.returncode == 0, done.stderr
        watch.terminate()
        said, _ = watch.communicate(timeout=LONG)
        assert (
            "no gate (Operation not permitted): when the stack starts" in "".join(stack.seen) + said
        )
