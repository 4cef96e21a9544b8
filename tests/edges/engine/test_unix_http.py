"""One request to a unix socket: a whole answer with a deadline and a limit, or a stream."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from dartsctl.edges.engine import unix_http
from fakes import hostile_engine
from fakes.hostile_engine import Behaviour, engine


def ask(address: str, *, seconds: float = 10, limit: int = 1 << 20, cut: bool = False) -> bytes:
    until = time.monotonic() + seconds
    with unix_http.connect(address.removeprefix("unix://"), until=until) as connection:
        return unix_http.exchange(
            connection, "GET", "/version", b"", until=until, limit=limit, cut=cut
        )


def test_the_whole_answer_is_returned(tmp_path: Path) -> None:
    with engine(tmp_path, hostile_engine.drips_after_its_version) as address:
        assert ask(address) == hostile_engine.VERSION


@pytest.mark.parametrize("behaviour", [hostile_engine.drips, hostile_engine.is_silent])
def test_the_deadline_is_that_of_the_whole_answer(tmp_path: Path, behaviour: Behaviour) -> None:
    with engine(tmp_path, behaviour) as address, pytest.raises(TimeoutError):
        ask(address, seconds=0.5)


def test_an_answer_over_the_limit_is_an_error_or_is_cut(tmp_path: Path) -> None:
    with engine(tmp_path, hostile_engine.floods) as address:
        with pytest.raises(unix_http.AnswerTooLarge):
            ask(address)
        assert len(ask(address, cut=True)) == 1 << 20


def test_a_missing_socket_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ask(f"unix://{tmp_path}/none.sock")


@pytest.mark.parametrize("path", ["a\0b", "x" * 200, "\ud800"])
def test_an_impossible_path_is_an_oserror(path: str) -> None:
    with pytest.raises(OSError, match=r"not the path of a socket|too long|No such file"):
        unix_http.connect(path, until=time.monotonic() + 60)


def open_stream(address: str) -> unix_http.Stream:
    until = time.monotonic() + 60
    connection = unix_http.connect(address.removeprefix("unix://"), until=until)
    return unix_http.open_stream(connection, "/events", until=until)


def test_a_stream_gives_what_has_come_and_then_its_end(tmp_path: Path) -> None:
    def behaviour(connection: socket.socket, _request: str) -> None:
        connection.sendall(hostile_engine.OK[:20])
        connection.sendall(hostile_engine.OK[20:] + b"first")
        connection.recv(1)  # until the other side has gone

    with engine(tmp_path, behaviour) as address:
        stream = open_stream(address)
        assert stream.read(10) == b"first"
        assert stream.read(0) == b""
        stream.close()
    with engine(tmp_path, hostile_engine.ends_early) as address:
        stream = open_stream(address)
        assert stream.head.startswith(b"HTTP/1.0 200 OK")
        assert stream.read(10)
        assert stream.read(10) is None
        stream.close()


def test_a_stream_without_a_head_is_an_oserror(tmp_path: Path) -> None:
    with (
        engine(tmp_path, hostile_engine.floods_with_headers) as address,
        pytest.raises(unix_http.AnswerTooLarge),
    ):
        open_stream(address)
    with engine(tmp_path, hostile_engine.hangs_up) as address:
        stream = open_stream(address)
        assert stream.head == b""
        stream.close()
