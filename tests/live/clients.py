"""Clients of a running stack on this host: requests, the event stream, WebSockets.

Its certificates are self-signed, and are not checked. Callers use the documented numbers of
production's ports; `own_port` maps them to those of the test's own stack.
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

DOCUMENTED = (80, 443, 5000, 8080, 5672, 15672, 9443, 5432, 9763)
"""What compose/prod.yml and the real darts server publish."""


@functools.cache
def _numbers() -> dict[int, int]:
    return dict(zip(DOCUMENTED, free_ports(len(DOCUMENTED)), strict=True))


def own_port(port: int) -> int:
    """Return the test's own number for one of production's ports, and any other port as it is.

    Production itself may run on this host.
    """
    return _numbers().get(port, port)


def connect(port: int, *, timeout: float = 10) -> http.client.HTTPConnection:
    """Return a connection to 127.0.0.1, with TLS for 443 and 9443."""
    if port not in (443, 9443):
        return http.client.HTTPConnection("127.0.0.1", own_port(port), timeout=timeout)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(
        "127.0.0.1", own_port(port), timeout=timeout, context=context
    )


def status(port: int) -> int:
    """Return the status of GET / on this host, 0 without an answer."""
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
    names: list[str]
    """The names of all headers: `headers` does not show one that occurs twice."""
    body: str

    @property
    def document(self) -> Any:
        return json.loads(self.body)


def ask(
    path: str, document: object = None, *, port: int = 443, form: str = "", **headers: str
) -> Reply:
    """Send a GET, or a POST with a document or a form.

    Underscores in the names of `headers` become dashes.
    """
    body = form or (None if document is None else json.dumps(document))
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if body:
        content_type = "application/x-www-form-urlencoded" if form else "application/json"
        sent = {"Content-Type": content_type, **sent}
    connection = connect(port)
    try:
        connection.request("POST" if body else "GET", path, body, sent)
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
    """A client of the event stream, with https through nginx. Gives up after 10 s of silence."""

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
        """Return the data of the next event, which must have that name."""
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
    """Return a session opened with RFC 6455's example handshake, None if the status is not 101."""
    session = handshake(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    session.sendall(
        b"GET /socket.io/ HTTP/1.1\r\nHost: localhost\r\n"
        b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
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
        socket.create_connection(("127.0.0.1", own_port(443)), timeout=60),
        server_hostname="localhost",
    )
