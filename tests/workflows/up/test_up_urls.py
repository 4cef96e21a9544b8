"""Where a stack answers: published ports are asked, unless they cannot speak http."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.containers import PROJECT_LABEL, Container
from dartsctl.stack.engine_rules import EngineRules
from dartsctl.stack.model import PortEntry, Service, Stack
from dartsctl.workflows.up.urls import StackUrls, ask_ports
from fakes.preflights import preflight
from signing import make_pair

OK = b"HTTP/1.1 200 OK\r\n\r\n"
NO_TLS = b"HTTP/1.1 400 Bad Request\r\n\r\n"


class Server:
    """A server on loopback. `plain`: what one with TLS answers to plain http."""

    def __init__(self, answer: bytes, context: ssl.SSLContext | None, plain: bytes) -> None:
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self._answer, self._context, self._plain = answer, context, plain

    def serve(self) -> None:
        while True:
            try:
                line, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with line:
                self._talk(line)

    def _talk(self, line: socket.socket) -> None:
        try:
            if self._context is None:
                line.recv(4096)
                line.sendall(self._answer)
            elif line.recv(1, socket.MSG_PEEK) == b"G":
                line.recv(4096)
                line.sendall(self._plain)
            else:
                with self._context.wrap_socket(line, server_side=True) as secured:
                    secured.recv(4096)
                    secured.sendall(self._answer)
        except OSError:
            return


@contextmanager
def serving(
    answer: bytes = OK, context: ssl.SSLContext | None = None, plain: bytes = NO_TLS
) -> Iterator[Server]:
    server = Server(answer, context, plain)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()
        thread.join()


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    folder: Path = tmp_path_factory.mktemp("tls")
    make_pair(folder, days=2)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return context


def asked(
    *published: tuple[int, int], without: str = "", address: str = "127.0.0.1", **rules: Any
) -> StackUrls:
    """Return where a stack answers whose service `web` publishes these ports for their targets."""
    entries = [PortEntry(target, "tcp", str(port)) for port, target in published]
    before = preflight(
        stack=Stack("shop", {"web": Service("web", ports=tuple(entries))}, {}),
        engine=EngineRules("28.5.2", **rules),
    )
    labels = {PROJECT_LABEL: "shop", "com.docker.compose.service": "web"}
    targets = [(Endpoint(port, address), target) for port, target in published]
    container = Container(
        "1", "shop-web-1", "web:1", "running", targets=tuple(targets), labels=labels
    )
    with ThreadPoolExecutor(4) as pool:
        return ask_ports(before, [container], without, pool)


def test_a_port_that_speaks_http_has_a_url() -> None:
    with serving() as server:
        assert asked((server.port, 5000)) == StackUrls((f"http://localhost:{server.port}/",))


@pytest.mark.parametrize("target", [443, 8443, 5000])
@pytest.mark.parametrize("plain", [NO_TLS, b""], ids=["answers-400", "closes"])
def test_a_tls_port_has_an_https_url(tls: ssl.SSLContext, target: int, plain: bytes) -> None:
    with serving(context=tls, plain=plain) as server:
        assert asked((server.port, target)) == StackUrls((f"https://localhost:{server.port}/",))


def test_plain_http_on_the_usual_tls_port_has_an_http_url() -> None:
    with serving() as server:
        assert asked((server.port, 8443)).urls == (f"http://localhost:{server.port}/",)


@pytest.mark.parametrize("status", [302, 404, 500])
def test_every_answer_counts_as_http(status: int) -> None:
    with serving(f"HTTP/1.1 {status} X\r\n\r\n".encode()) as server:
        assert asked((server.port, 5000)).urls == (f"http://localhost:{server.port}/",)


def test_a_port_that_answers_no_http_has_a_place() -> None:
    with serving(b"220 mail ready\r\n") as server:
        assert asked((server.port, 5000)) == StackUrls((), (f"localhost:{server.port}",))


@pytest.mark.parametrize("target", [22, 5432, 5672, 6379])
def test_a_database_or_queue_is_never_asked(target: int) -> None:
    with serving() as server:
        assert asked((server.port, target)) == StackUrls((), (f"localhost:{server.port}",))
    assert server.connections == 0


def test_only_the_first_twelve_ports_are_asked() -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(serving()) for _ in range(13)]
        result = asked(*((server.port, 5000 + index) for index, server in enumerate(servers)))
    assert len(result.urls) == 12
    assert len(result.places) == 1
    assert sum(server.connections for server in servers) == 12


def test_the_proxy_and_an_engine_elsewhere_are_left_out() -> None:
    with serving() as server:
        assert asked((server.port, 5000), without="web") == StackUrls()
        assert asked((server.port, 5000), kind="remote") == StackUrls()
    assert server.connections == 0


def test_a_wildcard_address_is_asked_on_loopback() -> None:
    with serving() as server:
        urls = asked((server.port, 5000), address="0.0.0.0", kind="desktop").urls
    assert urls == (f"http://localhost:{server.port}/",)
