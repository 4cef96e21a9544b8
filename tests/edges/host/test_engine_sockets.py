"""The sockets that the engine holds: those of its own docker-proxy processes, and nobody else's."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dartsctl.edges.host import engine_sockets
from dartsctl.edges.host.socket_owners import owners_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")


@contextmanager
def holding(program: Path, listener: socket.socket) -> Iterator[int]:
    """Run `program`, a copy of `sleep`, as a child of this process with the socket open."""
    shutil.copy(shutil.which("sleep") or "", program)
    child = subprocess.Popen([program, "600"], pass_fds=[listener.fileno()])
    try:
        yield child.pid
    finally:
        child.kill()
        child.wait()


@contextmanager
def listening() -> Iterator[tuple[socket.socket, int]]:
    """Yield a socket that listens, and its inode."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener, os.fstat(listener.fileno()).st_ino


def test_the_socket_of_a_docker_proxy_is_the_engines(tmp_path: Path) -> None:
    with listening() as (listener, inode), holding(tmp_path / "docker-proxy", listener) as pid:
        assert engine_sockets.held(os.getpid(), {inode, 1}) == {inode}
        assert engine_sockets.held(pid, {inode}) == set(), "that one's own children count"
        assert pid in owners_of({inode})[inode], "and the walk of all files agrees"


def test_another_child_of_the_engine_holds_nothing_for_it(tmp_path: Path) -> None:
    with listening() as (listener, inode), holding(tmp_path / "sleep", listener):
        assert engine_sockets.held(os.getpid(), {inode}) == set()


def test_nothing_is_known_of_a_process_that_is_not_there() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert engine_sockets.held(gone.pid, {1}) == set()
