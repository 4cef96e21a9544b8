"""A unix socket that behaves like a broken or hostile engine."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

Behaviour = Callable[[socket.socket, str], None]
"""Handles one connection. The text is the first line of the request."""

OK = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"
VERSION = (
    OK
    + json.dumps({"Version": "28.5.2", "Platform": {"Name": "Docker Engine - Community"}}).encode()
)


def is_well(connection: socket.socket, request: str) -> None:
    """Answer as a healthy engine without containers."""
    connection.sendall(VERSION if "/version" in request else OK + b"[]")


def drips(connection: socket.socket, _request: str) -> None:
    """Send one byte every tenth of a second, without end."""
    connection.sendall(OK)
    while True:
        connection.sendall(b" ")
        time.sleep(0.1)


def drips_after_its_version(connection: socket.socket, request: str) -> None:
    """Answer the version, and never finish the list."""
    if "/version" in request:
        connection.sendall(VERSION)
    else:
        drips(connection, request)


def is_silent(connection: socket.socket, _request: str) -> None:
    """Read the request and send nothing."""
    connection.recv(1)  # until the other side has gone


def floods(connection: socket.socket, _request: str) -> None:
    """Send an endless list."""
    connection.sendall(OK + b"[")
    while True:
        connection.sendall(b'{"Id": "x"},' * 5000)


def floods_with_small_values(connection: socket.socket, _request: str) -> None:
    """Send a complete list of many values: small on the wire, huge in memory."""
    connection.sendall(OK + b"[" + b"[]," * 5_000_000 + b"[]]")


def floods_with_headers(connection: socket.socket, _request: str) -> None:
    """Send endless headers."""
    connection.sendall(b"HTTP/1.0 200 OK\r\n")
    while True:
        connection.sendall(b"X-Header: value\r\n" * 4000)


def ends_early(connection: socket.socket, _request: str) -> None:
    """Send half an answer."""
    connection.sendall(VERSION[:-20])


def hangs_up(_connection: socket.socket, _request: str) -> None:
    """Send no answer."""


def talks_nonsense(connection: socket.socket, _request: str) -> None:
    """Send binary data."""
    connection.sendall(bytes(range(256)) * 1000)


@contextmanager
def engine(folder: Path, behaviour: Behaviour) -> Iterator[str]:
    """Run an engine with this behaviour. Yields its address."""
    path = folder / "engine.sock"
    path.unlink(missing_ok=True)
    connections: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            request = connection.recv(65536).partition(b"\r\n")[0].decode(errors="replace")
            behaviour(connection, request)

    def accept(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                connections.append(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        thread = threading.Thread(target=accept, args=(server,))
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
