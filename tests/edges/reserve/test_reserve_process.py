"""The process that reserves ports: orders, verbs that ask it, its end."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from dartsctl.edges.host.sockets import probe
from dartsctl.edges.reserve.ask import Connection, connect
from dartsctl.edges.reserve.messages import Orders, State
from dartsctl.edges.reserve.process import ReserveProcess
from dartsctl.ports.listeners import Probe
from dartsctl.stack.bindings import Endpoint
from dartsctl.system.files import PRIVATE_FOLDER, Folder
from dartsctl.system.path_walk import open_folder
from own_ports import free_ports

LONG = 60.0
"""Seconds: no test waits for so long if all is well."""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """A folder with a path that is too long for a unix socket."""
    with open_folder(tmp_path / ("x" * 120), make=PRIVATE_FOLDER) as opened:
        yield opened


@pytest.fixture
def reserve(folder: Folder) -> Iterator[ReserveProcess]:
    with ReserveProcess(folder, "demo") as process:
        wait_for(process, lambda state: state.watch == os.getpid())
        yield process


def wait_for(process: ReserveProcess, is_so: Callable[[State], bool]) -> State:
    deadline = time.monotonic() + LONG
    while not is_so(process.state):
        assert time.monotonic() < deadline, process.state
        select.select([process.descriptor], [], [], LONG)
        assert process.read()
    return process.state


def connected(folder: Folder) -> Connection:
    connection = connect(folder)
    assert connection is not None
    return connection


def endpoints(count: int = 2) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(port, "0.0.0.0") for port in free_ports(count))


def hold(reserve: ReserveProcess, *wanted: Endpoint) -> None:
    reserve.send(Orders(wanted, (), reserve.state.turn))
    wait_for(reserve, lambda state: state.held == wanted)


def test_a_verb_gets_the_ports_at_once_and_they_stay_free_until_new_orders(
    folder: Folder, reserve: ReserveProcess
) -> None:
    wanted = endpoints()
    hold(reserve, *wanted)
    assert all(probe(endpoint) is Probe.IN_USE for endpoint in wanted)
    with connected(folder) as verb:
        assert verb.pid == reserve.pid
        assert verb.parent == os.getpid()
        answer = verb.ask("release", within=LONG)
        assert answer is not None
        assert (answer.held, answer.released, answer.project) == ((), True, "demo")
        assert all(probe(endpoint) is Probe.FREE for endpoint in wanted)
        reserve.send(Orders(wanted, (), 0))  # given before `watch` knew of the verb
        with connected(folder) as another:
            state = another.ask("state", within=LONG)
            assert state is not None
            assert state.held == ()
    ended = wait_for(reserve, lambda state: state.turn == 1 and not state.released)
    assert ended.held == ()
    hold(reserve, *wanted)


def test_the_engine_can_bind_what_is_reserved_and_nobody_has() -> None:
    first, second, third = endpoints(3)
    state = State(held=(first,), guarded=(second, third), busy=(third,))
    assert state.endpoints == {first, second, third}
    assert state.usable == {first, second}


def test_orders_of_before_a_verb_hold_nothing_after_it(
    folder: Folder, reserve: ReserveProcess
) -> None:
    wanted = endpoints(1)
    with connected(folder) as verb:
        verb.ask("release", within=LONG)
    reserve.send(Orders(wanted, (), 0))
    wait_for(reserve, lambda state: not state.released)
    with connected(folder) as asking:
        state = asking.ask("state", within=LONG)
        assert state is not None
        assert state.held == ()


def test_a_taken_port_is_told_and_taken_as_soon_as_it_is_free(reserve: ReserveProcess) -> None:
    first, second = endpoints()
    with socket.socket() as squatter:
        squatter.bind((first.address, first.port))
        reserve.send(Orders((first, second)))
        state = wait_for(reserve, lambda state: state.held == (second,))
        assert [endpoint for endpoint, _ in state.refused] == [first]
    wait_for(reserve, lambda state: set(state.held) == {first, second} and not state.refused)


def test_what_is_no_longer_wanted_is_let_go(reserve: ReserveProcess) -> None:
    first, second = endpoints()
    hold(reserve, first, second)
    hold(reserve, second)
    assert probe(first) is Probe.FREE


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"{}\n",
        b"release\n",
        b'{"version": 1, "ask": "release"}',
        b'{"version": 2, "ask": "release"}\n',
        b'{"version": 1, "ask": "release", "ports": [5000]}\n',
        b'{"version": 1, "ask": "kill"}\n',
        b"[" * 200 + b"\n",
        b"\xff\xfe\n",
        b'{"version": 1, "ask": "release"' + b" " * 4096 + b"}\n",
    ],
)
def test_anything_but_a_request_gets_no_answer_and_releases_nothing(
    folder: Folder, reserve: ReserveProcess, line: bytes
) -> None:
    (wanted,) = endpoints(1)
    hold(reserve, wanted)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(LONG)
        client.connect(f"/proc/self/fd/{folder.descriptor}/socket")
        client.sendall(line)
        answer = b""
        with suppress(ConnectionResetError):  # it left data unread
            answer = client.recv(4096)
        assert answer == b""
    assert probe(wanted) is Probe.IN_USE


def test_those_who_say_nothing_keep_nobody_from_asking(
    folder: Folder, reserve: ReserveProcess
) -> None:
    silent = [socket.socket(socket.AF_UNIX) for _ in range(20)]
    try:
        for client in silent:
            client.settimeout(LONG)
            client.connect(f"/proc/self/fd/{folder.descriptor}/socket")
        deadline = time.monotonic() + LONG
        answer = None
        while answer is None and time.monotonic() < deadline:
            with connected(folder) as verb:
                answer = verb.ask("state", within=LONG)
        assert answer is not None
    finally:
        for client in silent:
            client.close()
    assert reserve.read()


def test_one_that_does_not_answer_is_ended_without_harm(
    folder: Folder, reserve: ReserveProcess
) -> None:
    (wanted,) = endpoints(1)
    hold(reserve, wanted)
    os.kill(reserve.pid, signal.SIGSTOP)
    with connected(folder) as verb:
        assert verb.ask("release", within=0.2) is None
        assert probe(wanted) is Probe.IN_USE
        assert verb.kill()
    assert probe(wanted) is Probe.FREE
    assert connect(folder) is None
    assert not reserve.read()


def test_another_process_behind_the_socket_is_never_killed(folder: Folder) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{folder.descriptor}/socket")
        listener.listen(1)
        with connected(folder) as verb:
            assert verb.ask("state", within=0.1) is None
            assert not verb.kill()


def test_a_new_one_takes_the_place_of_a_killed_one(folder: Folder) -> None:
    (wanted,) = endpoints(1)
    with ReserveProcess(folder, "demo") as first:
        hold(first, wanted)
        os.kill(first.pid, signal.SIGKILL)
    assert not first.read()
    with ReserveProcess(folder, "demo") as second:
        hold(second, wanted)


PARENT = """
import os, select, sys
from pathlib import Path
from dartsctl.edges.reserve.messages import Orders
from dartsctl.edges.reserve.process import ReserveProcess
from dartsctl.stack.bindings import Endpoint
from dartsctl.system.path_walk import open_folder
process = ReserveProcess(open_folder(Path(sys.argv[1])), "demo")
wanted = (Endpoint(int(sys.argv[2]), "0.0.0.0"),)
process.send(Orders(wanted))
while process.state.held != wanted:
    select.select([process.descriptor], [], [])
    process.read()
print(process.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("is_stopped", [False, True])
def test_it_ends_with_its_watch_even_if_both_are_killed_or_it_is_stopped(
    tmp_path: Path, is_stopped: bool
) -> None:
    (wanted,) = endpoints(1)
    words = [sys.executable, "-c", PARENT, str(tmp_path), str(wanted.port)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as watch:
        assert watch.stdout is not None
        process = os.pidfd_open(int(watch.stdout.readline()))
        try:
            assert probe(wanted) is Probe.IN_USE
            if is_stopped:
                signal.pidfd_send_signal(process, signal.SIGSTOP)
            watch.kill()
            assert select.select([process], [], [], LONG)[0]
        finally:
            os.close(process)
    assert probe(wanted) is Probe.FREE


def test_nobody_listens_where_no_watch_reserves(folder: Folder) -> None:
    assert connect(folder) is None
    with closing(socket.socket(socket.AF_UNIX)) as left:
        left.bind(f"/proc/self/fd/{folder.descriptor}/socket")
    assert connect(folder) is None  # left by a killed watch


def test_the_answer_is_one_json_line_of_version_1(folder: Folder, reserve: ReserveProcess) -> None:
    (wanted,) = endpoints(1)
    hold(reserve, wanted)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(LONG)
        client.connect(f"/proc/self/fd/{folder.descriptor}/socket")
        client.sendall(b'{"version": 1, "ask": "state"}\n')
        with client.makefile("rb") as answer:
            document = json.loads(answer.read())
    assert document == {
        "version": 1,
        "watch": os.getpid(),
        "project": "demo",
        "held": [["0.0.0.0", wanted.port, "tcp"]],
        "guarded": [],
        "turn": 0,
        "released": False,
        "busy": [],
        "refused": [],
        "gate_error": "",
    }


ASKS = """
import os, socket, sys
folder = os.open(sys.argv[1], os.O_PATH)
os.setuid(int(sys.argv[2]))
client = socket.socket(socket.AF_UNIX)
client.connect(f"/proc/self/fd/{folder}/socket")
client.sendall(b'{"version": 1, "ask": "state"}\\n')
os.write(1, client.recv(9))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize(("uid", "answer"), [(0, b'{"version'), (65534, b"")])
def test_another_user_gets_no_answer(
    folder: Folder, reserve: ReserveProcess, uid: int, answer: bytes
) -> None:
    os.fchmod(folder.descriptor, 0o755)
    os.chmod("socket", 0o666, dir_fd=folder.descriptor)  # noqa: S103 - the credentials must do
    words = [sys.executable, "-c", ASKS, str(folder.path), str(uid)]
    done = subprocess.run(words, capture_output=True, check=False)
    assert done.stdout == answer, done.stderr
    assert b"PermissionError" not in done.stderr
    assert reserve.read()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root watches for another user")
def test_the_user_of_the_state_folder_may_ask_a_watch_of_root(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    with open_folder(tmp_path) as folder, ReserveProcess(folder, "demo") as reserve:
        wait_for(reserve, lambda state: state.watch == os.getpid())
        words = [sys.executable, "-c", ASKS, str(folder.path), "65534"]
        done = subprocess.run(words, capture_output=True, check=False)
        assert done.stdout == b'{"version', done.stderr
