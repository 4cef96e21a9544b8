"""Clients of a running stack on this host: requests, the event stream, WebSockets. Its certificates are nobody's, and are not checked.

They name production's ports by the documented numbers, and reach the test's own stack on its own (`own_port`).
"""

from __future__ import annotations

import functools
import http.client
import json
import socket
import ssl
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from own_ports import free_ports

DOCUMENTED = (80, 443, 5000, 8080, 5672, 15672, 9443, 5432)
"""What compose/prod.yml publishes."""


@functools.cache
def _numbers() -> dict[int, int]:
    return dict(zip(DOCUMENTED, free_ports(len(DOCUMENTED)), strict=True))


def own_port(port: int) -> int:
    """The number on which the tests of this process publish one of production's ports: production itself may run here. Any other is itself."""
    return _numbers().get(port, port)


def connect(port: int, *, timeout: float = 10) -> http.client.HTTPConnection:
    """A connection to 127.0.0.1, by TLS to 443 and 9443; the certificates there are nobody's."""
    if port not in (443, 9443):
        return http.client.HTTPConnection("127.0.0.1", own_port(port), timeout=timeout)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(
        "127.0.0.1", own_port(port), timeout=timeout, context=context
    )


def status(port: int) -> int:
    """What answers to GET / on this host, 0 for nobody."""
    connection = connect(port)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    names: list[str]  # of all headers: a dictionary does not show one that is there twice
    body: str

    @property
    def document(self) -> Any:
        return json.loads(self.body)


def ask(
    path: str, document: object = None, *, port: int = 443, form: str = "", **headers: str
) -> Reply:
    """One request; POST with a document or a form. Underscores in the names of headers are dashes."""
    body = form or (None if document is None else json.dumps(document))
    kind = (
        {"Content-Type": "application/x-www-form-urlencoded" if form else "application/json"}
        if body
        else {}
    )
    connection = connect(port)
    try:
        connection.request(
            "POST" if body else "GET",
            path,
            body,
            {**kind, **{name.replace("_", "-"): value for name, value in headers.items()}},
        )
        answer = connection.getresponse()
        names = [name.lower() for name, _ in answer.getheaders()]
        return Reply(
            answer.status,
            {name.lower(): value for name, value in answer.getheaders()},
            names,
            answer.read().decode(),
        )
    finally:
        connection.close()


def basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


class Watcher:
    """A client of the event stream, by https through nginx, that gives up after 10 s of silence."""

    def __init__(self, last: str = "") -> None:
        self._connection = connect(443)
        self._connection.request("GET", "/stream", headers={"Last-Event-ID": last} if last else {})
        self._answer = self._connection.getresponse()
        assert (self._answer.status, self._answer.headers["content-type"]) == (
            200,
            "text/event-stream",
        )

    def __enter__(self) -> Watcher:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def next(self, name: str) -> Any:
        """The data of the next event, which must be of that name."""
        for event in self._events():
            assert event["event"] == name
            return json.loads(event["data"])
        pytest.fail("the stream has ended")

    def _events(self) -> Iterator[dict[str, str]]:
        fields: dict[str, str] = {}
        while line := self._answer.readline().decode():
            key, _, value = line.rstrip("\n").partition(": ")
            if key:
                fields[key] = value
            elif line == "\n" and "event" in fields:
                yield fields
                fields = {}


def websocket() -> tuple[str, ssl.SSLSocket] | None:
    """An open session after RFC 6455's example handshake through nginx; None while nobody answers 101."""
    session = handshake(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    session.sendall(
        b"GET /socket.io/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    reply = session.recv(65536).decode()
    if " 101 " in reply.partition("\r\n")[0]:
        return reply, session
    session.close()
    return None


def handshake(context: ssl.SSLContext) -> ssl.SSLSocket:
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(
        socket.create_connection(("127.0.0.1", own_port(443)), timeout=10),
        server_hostname="localhost",
    )
