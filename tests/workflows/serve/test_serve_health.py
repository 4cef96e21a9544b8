"""Requests to a server until it answers as it should, to a real socket and with a clock of ours."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from dartsctl.workflows.serve.health import HealthCheck

Eventually = Callable[[Callable[[], object]], object]
OK = b"HTTP/1.1 200 OK\r\n\r\n"
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\n\r\n"


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def server(*answers: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Answer each request with the next of `answers`. Yield the port and the request lines."""
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    requests.append(connection.recv(4096).partition(b"\r\n")[0])
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], requests
        thread.join()


@pytest.mark.parametrize(
    ("answer", "path", "passes"),
    [
        (OK, "/up", True),
        (UNAVAILABLE, "/up", False),
        (UNAVAILABLE, None, True),
        (b"SSH-2.0-OpenSSH\r\n", None, True),
        (b"SSH-2.0-OpenSSH\r\n", "/up", False),
    ],
)
def test_a_path_must_answer_below_400_and_without_one_any_answer_counts(
    answer: bytes, path: str | None, passes: bool, eventually: Eventually
) -> None:
    with server(answer) as (port, requests):
        check = HealthCheck(path, monotonic=Clock())
        unanswered = check.last_answer
        answered: list[bool] = []

        def has_answered() -> bool:
            answered.append(check.passes("127.0.0.1", port))
            return check.last_answer is not unanswered

        assert eventually(has_answered)
    assert answered[-1] is passes
    assert requests == [f"GET {path or '/'} HTTP/1.1".encode()]


def test_the_next_request_comes_after_a_pause(eventually: Eventually) -> None:
    with server(UNAVAILABLE, OK) as (port, requests):
        clock = Clock()
        check = HealthCheck("/up", monotonic=clock)
        first = check.last_answer

        def has_answered() -> bool:
            check.passes("127.0.0.1", port)
            return check.last_answer is not first

        assert eventually(has_answered)
        assert not any(check.passes("127.0.0.1", port) for _ in range(20))
        assert len(requests) == 1
        clock.now += 1
        assert eventually(lambda: check.passes("127.0.0.1", port))
        assert check.last_answer.status == 200


def test_nobody_listening_is_an_answer_that_says_so(eventually: Eventually) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    check = HealthCheck("/up", monotonic=Clock())
    assert eventually(
        lambda: check.passes("127.0.0.1", port) or check.last_answer.text != "no answer"
    )
    assert check.last_answer.text == "connection refused"
