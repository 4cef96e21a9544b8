"""SupervisedServer with real processes and sockets: restarts, signals, the environment."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from dartsctl.edges.supervisor.client import SupervisedServer

SERVER = """
import os, pathlib, socket, sys, time
server = socket.socket(fileno=int(sys.argv[1]))
while not pathlib.Path("go").exists():
    time.sleep(0.005)
while True:
    visitor, _ = server.accept()
    with visitor:
        word = visitor.recv(10)
        visitor.sendall(str(os.getpid()).encode())
    if word == b"reload":
        pathlib.Path("go").unlink()
        os._exit(3)
"""

Begin = Callable[..., SupervisedServer]


@pytest.fixture
def begin(tmp_path: Path) -> Begin:
    """Return a function that supervises a command in `tmp_path`."""

    def make(command: Sequence[str], **more: object) -> SupervisedServer:
        given = {
            "directory": str(tmp_path),
            "environment": os.environ,
            "descriptors": [],
            "restart_on": 3,
            **more,
        }
        return SupervisedServer(command, **given)  # type: ignore[arg-type]  # passed on

    return make


def until(server: SupervisedServer, condition: Callable[[], object]) -> None:
    """Wait on the server until the condition holds, at most a minute."""
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        server.wait(0.01)
    assert condition()


def ended(server: SupervisedServer) -> int | None:
    until(server, lambda: server.code is not None)
    return server.code


def ask(port: int, word: bytes = b"who") -> socket.socket:
    visitor = socket.create_connection(("127.0.0.1", port), timeout=60)
    visitor.sendall(word)
    return visitor


def test_connections_made_during_a_restart_are_answered_after_it(
    begin: Begin, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    go.touch()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with begin(
        [sys.executable, "-c", SERVER, str(listener.fileno())], descriptors=[listener.fileno()]
    ) as server:
        listener.close()  # now only the server's tree has it
        server.begin()
        first = server.server
        with ask(port, b"reload") as visitor:
            assert visitor.recv(10) == str(first).encode()
        until(server, lambda: not go.exists())
        visitors = [ask(port) for _ in range(30)]  # nobody accepts yet
        until(server, lambda: server.server != first)
        go.touch()
        assert {visitor.recv(10) for visitor in visitors} == {str(server.server).encode()}
        for visitor in visitors:
            visitor.close()
        assert server.code is None
        server.end_quickly()


def test_after_three_short_lives_a_server_is_not_restarted(begin: Begin, tmp_path: Path) -> None:
    with begin(["sh", "-c", "echo started >>runs; exit 3"]) as server:
        server.begin()
        assert ended(server) == 3
    assert (tmp_path / "runs").read_text().split() == ["started"] * 3


def test_longer_lives_are_no_crash_loop(begin: Begin, tmp_path: Path) -> None:
    script = (
        "echo started >>runs;"
        " case $(wc -l <runs) in 1|2|4|5) exit 3;; 3) sleep 1.1; exit 3;; *) exit 0;; esac"
    )
    with begin(["sh", "-c", script]) as server:
        server.begin()
        assert ended(server) == 0
    assert len((tmp_path / "runs").read_text().split()) == 6


@pytest.mark.parametrize("code", [0, 1, 4])
def test_another_exit_code_does_not_restart(begin: Begin, tmp_path: Path, code: int) -> None:
    with begin(["sh", "-c", f"echo started >>runs; exit {code}"]) as server:
        server.begin()
        assert ended(server) == code
    assert (tmp_path / "runs").read_text().split() == ["started"]


def test_without_restart_on_nothing_is_restarted(begin: Begin, tmp_path: Path) -> None:
    with begin(["sh", "-c", "echo started >>runs; exit 3"], restart_on=None) as server:
        server.begin()
        assert ended(server) == 3
    assert (tmp_path / "runs").read_text().split() == ["started"]


@pytest.mark.parametrize(
    "stop", [SupervisedServer.end_quickly, SupervisedServer.interrupt], ids=["stop", "Ctrl-C"]
)
def test_a_server_that_was_asked_to_end_is_not_restarted(
    begin: Begin, tmp_path: Path, stop: Callable[[SupervisedServer], None]
) -> None:
    script = "trap 'exit 3' TERM INT; echo started >>runs; while :; do sleep 0.01; done"
    with begin(["sh", "-c", script]) as server:
        server.begin()
        until(server, (tmp_path / "runs").exists)
        stop(server)
        assert ended(server) == 3
    assert (tmp_path / "runs").read_text().split() == ["started"]


def test_leftovers_of_the_old_server_have_ended_before_the_new_one_starts(
    begin: Begin, tmp_path: Path
) -> None:
    script = (
        "if [ -e left ]; then kill -0 $(cat left) && echo alive >new || echo gone >new; exit 0; fi;"
        " setsid sh -c 'trap \"\" TERM; echo $$ >left.part; mv left.part left; sleep 300' &"
        " while [ ! -e left ]; do sleep 0.01; done; exit 3"
    )
    with begin(["sh", "-c", script]) as server:
        server.begin()
        assert ended(server) == 0
    assert (tmp_path / "new").read_text() == "gone\n"


@pytest.mark.skipif(sys.platform != "linux", reason="layers of Linux's kernel")
def test_a_restarted_server_is_confined_too(begin: Begin, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as chooser:
        closed = chooser.getsockname()[1]
    program = (
        "import pathlib, socket, sys\n"
        "try: socket.socket().bind(('127.0.0.1', int(sys.argv[1]))); word = 'bound'\n"
        "except OSError as error: word = error.strerror\n"
        "runs = pathlib.Path('runs'); before = runs.read_text() if runs.exists() else ''\n"
        "runs.write_text(before + word + '\\n'); sys.exit(0 if before else 3)\n"
    )
    with begin([sys.executable, "-c", program, str(closed)], closed_ports=[closed]) as server:
        server.begin()
        if not server.confined:
            pytest.skip("this kernel has no layer for ports")
        assert ended(server) == 0
    assert (tmp_path / "runs").read_text().splitlines() == ["Permission denied"] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="reads the caught signals from /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_before_the_start_prevents_it(
    begin: Begin, tmp_path: Path, number: signal.Signals
) -> None:
    def catches() -> bool:
        status = Path(f"/proc/{server.supervisor}/status").read_text().split()
        return bool(int(status[status.index("SigCgt:") + 1], 16) >> (signal.SIGHUP - 1) & 1)

    with begin(["touch", "started"], closed_ports=[1]) as server:
        until(server, catches)
        os.killpg(server.supervisor, number)
        server.begin()
        assert ended(server) == 128 + number
    assert not (tmp_path / "started").exists()


def test_the_servers_variables_reach_the_server_and_never_the_supervisor(
    begin: Begin, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    environment = {
        **os.environ,
        "LD_PRELOAD": "/nonexistent-canary.so",
        "PYTHONSTARTUP": "canary",
        "LARGE": "x" * 100_000,
        "TWO": "a=b\nc",
        "": "no name",
    }
    script = (
        'printf "%s" "$TWO" >two; printf "%s" "$PYTHONSTARTUP" >startup;'
        f' exec {sys.executable} -c "input()"'
    )
    with begin(["sh", "-c", script], environment=environment) as server:
        theirs = Path(f"/proc/{server.supervisor}/environ").read_bytes()
        server.begin()
        assert ended(server) is not None
    assert b"canary" not in theirs
    assert ((tmp_path / "two").read_text(), (tmp_path / "startup").read_text()) == (
        "a=b\nc",
        "canary",
    )
    loaded_into = capfd.readouterr().err.count("canary.so")
    assert loaded_into == 2  # ld.so complains in sh and in the Python that it becomes


def test_a_command_is_searched_in_the_servers_path(begin: Begin, tmp_path: Path) -> None:
    program = tmp_path / "own" / "program"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 7\n")
    program.chmod(0o755)
    with begin(["program"], environment={**os.environ, "PATH": str(program.parent)}) as server:
        server.begin()
        assert ended(server) == 7
