"""HTTP GET against real servers that answer, stay silent, send nonsense or use TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dartsctl.edges.http import get as http
from dartsctl.edges.project import certificate_files
from signing import make_pair


@contextlib.contextmanager
def server(
    answer: Callable[[socket.socket], None], context: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Run a server that accepts one connection, reads the request and calls `answer`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            line, _ = listener.accept()
            with line, contextlib.suppress(OSError):
                secured = context.wrap_socket(line, server_side=True) if context else line
                with secured:
                    secured.recv(4096)
                    answer(secured)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(60)


def sends(text: bytes) -> Callable[[socket.socket], None]:
    return lambda line: line.sendall(text)


def get(port: int, *, tls: bool = False, deadline: float = 60.0) -> http.Response:
    return http.get("127.0.0.1", port, "/x", host="shop.test", tls=tls, deadline=deadline)


def test_single_bytes_do_not_extend_the_deadline() -> None:
    ended = threading.Event()

    def drip(line: socket.socket) -> None:
        while not ended.wait(0.02):
            line.sendall(b"H")

    with server(drip) as port:
        response = get(port, deadline=0.3)
        ended.set()
    assert response.problem == "does not answer within 0.3 s"
    assert response.seconds < 30


def test_the_body_is_not_waited_for() -> None:
    asked = threading.Event()

    def answer(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 302 Found\r\nLocation: /login\r\n")
        asked.wait(60)  # the rest comes only after `get` has returned

    with server(answer) as port:
        response = get(port)
        asked.set()
    assert (response.status, response.problem) == (302, "")


def test_a_status_line_may_arrive_in_pieces() -> None:
    def answer(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.0 50")
        line.sendall(b"2 Bad Gateway\r\n\r\n")

    with server(answer) as port:
        assert get(port).status == 502


def test_silence_ends_at_the_deadline() -> None:
    over = threading.Event()

    def answer(_: socket.socket) -> None:
        over.wait(60)

    with server(answer) as port:
        started = time.monotonic()
        response = get(port, deadline=0.3)
        assert time.monotonic() - started < 30
        over.set()
    assert response.status is None
    assert response.problem == "does not answer within 0.3 s"


def test_an_endless_answer_ends_at_the_deadline() -> None:
    """The deadline is for the whole answer: a byte now and then does not extend it."""
    over = threading.Event()

    def answer(line: socket.socket) -> None:
        while not over.wait(0.05):
            line.sendall(b"x")

    with server(answer) as port:
        started = time.monotonic()
        response = get(port, deadline=0.5)
        assert time.monotonic() - started < 30
        over.set()
    assert response.problem == "does not answer within 0.5 s"


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (b"", "is closed without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "answers something that is not HTTP"),
        (b"HTTP/1.1 x\r\n", "answers something that is not HTTP"),
    ],
)
def test_an_invalid_answer_is_reported(reply: bytes, problem: str) -> None:  # edge-cases.md#11
    with server(sends(reply)) as port:
        response = get(port)
    assert (response.status, response.problem) == (None, problem)


def test_a_refused_connection_is_reported_in_the_kernels_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server_socket:
        port = server_socket.getsockname()[1]
    assert get(port).problem == "fails: connection refused"
    assert http.connect("127.0.0.1", port, deadline=2) == "connection refused"


def test_an_unknown_host_name_is_no_exception() -> None:
    assert http.get("no.such.name.invalid", 80, "/", host="a", tls=False, deadline=5).status is None


def test_a_listener_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server_socket:
        assert http.connect("127.0.0.1", server_socket.getsockname()[1], deadline=2) == "open"


def test_any_certificate_is_accepted_and_returned(tmp_path: Path) -> None:
    certificate, key = certificate_files.self_signed("shop.test")
    (tmp_path / "c").write_text(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "c")
    with server(sends(b"HTTP/1.1 200 OK\r\n\r\n"), context) as port:
        response = get(port, tls=True)
    assert response.status == 200
    dates = certificate_files.served(response.certificate)
    assert dates is not None
    assert abs(dates[1] - time.time() - certificate_files.DAYS * 86400) < 300


def test_tls_to_a_server_without_tls_is_reported() -> None:
    with server(sends(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        assert get(port, tls=True).problem.startswith("fails in the TLS handshake")


@pytest.mark.parametrize("host", ["", ".", "a..b", "x" * 64, "a" * 300, "\udcff"])
@pytest.mark.parametrize("tls", [False, True])
def test_an_invalid_host_name_is_reported(host: str, tls: bool) -> None:
    # "" is this host itself, where nobody listens on port 1
    response = http.get(host, 1, "/", host=host, tls=tls, deadline=5)
    assert response.status is None
    assert response.problem.startswith(("fails", "does not answer"))
    assert http.connect(host, 1, deadline=5) != "open"


# --- what a port speaks -----------------------------------------------------------------------


def test_a_tls_port_speaks_tls_and_a_plain_one_does_not(tmp_path: Path) -> None:
    make_pair(tmp_path, days=1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    with server(sends(b""), context) as port:
        assert http.speaks_tls("127.0.0.1", port, deadline=60.0)
    with server(sends(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        assert not http.speaks_tls("127.0.0.1", port, deadline=60.0)


def test_a_port_that_stays_silent_or_is_closed_does_not_speak_tls() -> None:
    ended = threading.Event()

    def stays_silent(_: socket.socket) -> None:
        ended.wait(60)

    with server(stays_silent) as port:
        assert not http.speaks_tls("127.0.0.1", port, deadline=0.3)
        ended.set()
    assert not http.speaks_tls("127.0.0.1", port, deadline=60.0)


def test_a_tls_server_that_refuses_our_handshake_speaks_tls_all_the_same(tmp_path: Path) -> None:
    """It wants a name that we do not send: it answers with an alert."""
    make_pair(tmp_path, days=1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    context.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    with server(sends(b""), context) as port:
        assert http.speaks_tls("127.0.0.1", port, deadline=60.0)


@pytest.mark.parametrize("tls", [False, True])
def test_a_connection_in_the_proxy_protocol_begins_with_its_line(tls: bool) -> None:
    received = []

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            line, _ = listener.accept()
            with line:
                received.append(line.recv(15, socket.MSG_WAITALL))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        http.get("127.0.0.1", port, "/", host="a", tls=tls, deadline=5.0, proxy_protocol=True)
        thread.join(60)
    assert received == [b"PROXY UNKNOWN\r\n"]
