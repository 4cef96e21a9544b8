"""HttpProbe against real sockets: one GET that never blocks."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from dartsctl.edges.http.probe import HttpAnswer, HttpProbe


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        yield listener


def answer_to(server: socket.socket, reply: bytes) -> HttpAnswer:
    """Return the answer of a server that sends `reply` and closes the connection."""
    probe = HttpProbe("127.0.0.1", server.getsockname()[1], "/health", patience=60)
    connection, _ = server.accept()
    with connection:
        assert probe.poll() is None  # nobody has answered yet
        assert connection.recv(4096).startswith(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:")
        connection.sendall(reply)
    return ended(probe)


def ended(probe: HttpProbe) -> HttpAnswer:
    until = time.monotonic() + 90
    while (answer := probe.poll()) is None:
        assert time.monotonic() < until
        time.sleep(0.005)
    probe.close()
    return answer


@pytest.mark.parametrize("status", [200, 302, 503])
def test_the_status_is_that_of_the_first_line(server: socket.socket, status: int) -> None:
    answer = answer_to(server, b"HTTP/1.1 %d Whatever\r\nServer: x\r\n\r\n" % status)
    assert (answer.status, answer.has_bytes) == (status, True)


def test_an_answer_that_is_not_http_has_bytes_and_no_status(server: socket.socket) -> None:
    assert answer_to(server, b"\x15\x03\x01\x00\x02\x02\x16") == HttpAnswer(
        "an answer that is not HTTP", has_bytes=True
    )


def test_a_connection_closed_without_bytes_is_no_answer(server: socket.socket) -> None:
    assert answer_to(server, b"") == HttpAnswer("closed without an answer")


def test_a_port_where_nobody_listens_refuses() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        answer = ended(HttpProbe("127.0.0.1", bound.getsockname()[1], "/", patience=60))
    assert answer == HttpAnswer("connection refused")


def test_a_server_that_never_answers_is_given_up_after_the_patience(
    server: socket.socket,
) -> None:  # edge-cases.md#10
    started = time.monotonic()
    assert ended(HttpProbe("127.0.0.1", server.getsockname()[1], "/", patience=0.3)) == HttpAnswer(
        "no answer"
    )
    assert 0.3 <= time.monotonic() - started < 30


def test_an_answer_in_pieces_is_read_to_its_first_line(server: socket.socket) -> None:
    probe = HttpProbe("127.0.0.1", server.getsockname()[1], "/", patience=60)
    connection, _ = server.accept()
    with connection:
        connection.sendall(b"HTTP/1.1 2")
        assert probe.poll() is None
        connection.sendall(b"04 No Content\r\n")
        assert ended(probe).status == 204


def test_a_server_that_sends_single_bytes_gives_no_answer(server: socket.socket) -> None:
    probe = HttpProbe("127.0.0.1", server.getsockname()[1], "/", patience=0.3)
    connection, _ = server.accept()
    with connection:
        until = time.monotonic() + 90
        while (answer := probe.poll()) is None:
            assert time.monotonic() < until
            connection.sendall(b"H")
            time.sleep(0.005)
    probe.close()
    assert answer == HttpAnswer("no answer")
