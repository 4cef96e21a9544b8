"""One HTTP GET that never blocks, so that a server's sockets are watched while it answers."""

from __future__ import annotations

import errno
import os
import socket
import time

from dartsctl.errors import DartsctlError
from dartsctl.records import record
from dartsctl.text.http_status import http_status

_HEAD_LIMIT = 4096
"""Bytes in which the first line of an answer must end."""
_PENDING = (errno.EAGAIN, errno.ENOTCONN)
"""No answer yet. ENOTCONN is macOS's error for a connection that is still being made."""


@record
class HttpAnswer:
    """`status` is None if there was none, and `text` says what there was instead."""

    text: str
    status: int | None = None
    has_bytes: bool = False
    """Whether anything was received, HTTP or not."""


class HttpProbe:
    """One GET to `address`:`port`. Call `poll` until it returns an answer, then `close`."""

    def __init__(self, address: str, port: int, path: str, *, patience: float) -> None:
        """Send the request without blocking.

        `patience`: seconds after which there is no answer. Raises DartsctlError if this process has
        no file descriptor left.
        """
        family, name = socket.AF_INET, address
        if ":" in address:
            family, name = socket.AF_INET6, f"[{address}]"
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {name}:{port}\r\nUser-Agent: dartsctl\r\n"
            "Accept: */*\r\nConnection: close\r\n\r\n"
        )
        self._unsent = request.encode()
        self._until = time.monotonic() + patience
        self._received = b""
        try:
            self._connection = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            raise DartsctlError(
                f"cannot connect to {name}:{port}: {error.strerror}", hint="ulimit -n 4096"
            ) from error
        self._connection.setblocking(False)  # noqa: FBT003 - the only way to call it
        self._connect_error = self._connection.connect_ex((address, port))

    def poll(self) -> HttpAnswer | None:
        """Return the answer when its first line is there, None until then.

        Never blocks, never raises.
        """
        if self._connect_error not in (0, errno.EINPROGRESS):
            return HttpAnswer(os.strerror(self._connect_error).lower())
        try:
            if self._unsent:
                sent = self._connection.send(self._unsent)
                self._unsent = self._unsent[sent:]
            chunk = self._connection.recv(_HEAD_LIMIT)
        except OSError as error:
            if error.errno not in _PENDING:
                return HttpAnswer((error.strerror or str(error)).lower())
            return self._unless_late()
        self._received += chunk
        if chunk and b"\n" not in self._received and len(self._received) < _HEAD_LIMIT:
            return self._unless_late()
        return _answer(self._received)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _unless_late(self) -> HttpAnswer | None:
        return None if time.monotonic() < self._until else HttpAnswer("no answer")


def _answer(head: bytes) -> HttpAnswer:
    status = http_status(head)
    if status is not None:
        return HttpAnswer(f"status {status}", status, has_bytes=True)
    if head:
        return HttpAnswer("an answer that is not HTTP", has_bytes=True)
    return HttpAnswer("closed without an answer")
