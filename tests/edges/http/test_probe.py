"""One GET that is never waited for, against real sockets."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from dartsctl.edges.http.probe import Answer, Question


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        yield listener


def asked(server: socket.socket, reply: bytes) -> Answer:
    """What a Question hears from a server that says `reply` and hangs up."""
    question = Question("127.0.0.1", server.getsockname()[1], "/health", patience=10)
    line, _ = server.accept()
    with line:
        assert question.look() is None  # it has asked, and nobody has answered
        assert line.recv(4096).startswith(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:")
        line.sendall(reply)
    return ended(question)


def ended(question: Question) -> Answer:
    until = time.monotonic() + 10
    while (answer := question.look()) is None:
        assert time.monotonic() < until
        time.sleep(0.005)
    question.close()
    return answer


@pytest.mark.parametrize("status", [200, 302, 503])
def test_the_status_is_the_first_lines(server: socket.socket, status: int) -> None:
    answer = asked(server, b"HTTP/1.1 %d Whatever\r\nServer: x\r\n\r\n" % status)
    assert (answer.status, answer.heard) == (status, True)


def test_an_answer_that_is_not_http_is_heard_and_has_no_status(server: socket.socket) -> None:
    assert asked(server, b"\x15\x03\x01\x00\x02\x02\x16") == Answer(
        "an answer that is not HTTP", heard=True
    )


def test_a_line_that_is_closed_without_a_word_is_no_answer(server: socket.socket) -> None:
    assert asked(server, b"") == Answer("closed without an answer")


def test_a_port_where_nobody_listens_refuses() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        answer = ended(Question("127.0.0.1", bound.getsockname()[1], "/", patience=10))
    assert answer == Answer("connection refused")


def test_a_server_that_accepts_and_never_answers_costs_only_the_patience(
    server: socket.socket,
) -> None:  # edge-cases.md#10
    begun = time.monotonic()
    assert ended(Question("127.0.0.1", server.getsockname()[1], "/", patience=0.3)) == Answer(
        "no answer"
    )
    assert 0.3 <= time.monotonic() - begun < 5


def test_an_answer_in_pieces_is_read_to_its_first_line(server: socket.socket) -> None:
    question = Question("127.0.0.1", server.getsockname()[1], "/", patience=10)
    line, _ = server.accept()
    with line:
        line.sendall(b"HTTP/1.1 2")
        assert question.look() is None
        line.sendall(b"04 No Content\r\n")
        assert ended(question).status == 204


def test_a_server_that_drips_gives_no_answer(server: socket.socket) -> None:
    question = Question("127.0.0.1", server.getsockname()[1], "/", patience=0.3)
    line, _ = server.accept()
    with line:
        until = time.monotonic() + 10
        while (answer := question.look()) is None:
            assert time.monotonic() < until
            line.sendall(b"H")
            time.sleep(0.005)
    question.close()
    assert answer == Answer("no answer")
