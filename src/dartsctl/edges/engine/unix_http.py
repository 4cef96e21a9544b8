"""One HTTP request to a unix socket: a whole answer with a deadline and a limit, or a stream.

The request is HTTP/1.0, so that the answer ends with the connection, and a stream comes without
chunks. http.client is not used: importing it takes longer than a short command may.
"""

from __future__ import annotations

import errno
import time
from _socket import AF_UNIX, SOCK_STREAM

from dartsctl.system.plain_socket import PlainSocket

_CHUNK = 64 << 10
_HEAD_LIMIT = 64 << 10
"""Bytes of an answer's head."""
_END_OF_HEAD = b"\r\n\r\n"


class AnswerTooLarge(OSError):
    """The answer is larger than the limit."""


class Stream:
    """The body of an answer that comes bit by bit: events, a log that is followed."""

    def __init__(self, connection: PlainSocket, head: bytes, begin: bytes) -> None:
        self.head = head
        """Its status line and headers."""
        self._connection = connection
        self._begin = begin

    def fileno(self) -> int:
        """Return the descriptor to wait on, together with others."""
        return self._connection.fileno()

    def read(self, timeout: float) -> bytes | None:
        """Return what has come, at most 64 KiB; empty if nothing comes in time; None at the end.

        A connection that breaks has ended. What is not read stays in the kernel, and the engine
        waits: a flood fills no memory.
        """
        if self._begin:
            begin, self._begin = self._begin, b""
            return begin
        self._connection.settimeout(timeout)
        try:
            return self._connection.recv(_CHUNK) or None
        except (TimeoutError, BlockingIOError):
            return b""
        except OSError:
            return None

    def close(self) -> None:
        """End it. What was not read is lost."""
        self._connection.close()


def connect(path: str, *, until: float) -> PlainSocket:
    """Return a connection to the socket at `path`.

    `until`: the deadline, a moment of time.monotonic(). Raises OSError, TimeoutError.
    """
    connection = PlainSocket(AF_UNIX, SOCK_STREAM)
    try:
        connection.settimeout(_seconds_left(until))
        connection.connect(path)
    except ValueError:
        connection.close()
        raise OSError(errno.EINVAL, "not the path of a socket") from None
    except BaseException:
        connection.close()
        raise
    return connection


def exchange(
    connection: PlainSocket,
    method: str,
    target: str,
    document: bytes,
    *,
    until: float,
    limit: int,
    cut: bool = False,
) -> bytes:
    """Send a request with a JSON `document` (or none) and return the answer, its head included.

    With `cut` an answer larger than `limit` bytes is cut there.
    Raises OSError; TimeoutError if the answer is not complete at `until`; AnswerTooLarge.
    """
    _send(connection, method, target, document, until=until)
    answer = bytearray()
    while len(answer) <= limit:
        connection.settimeout(_seconds_left(until))
        chunk = connection.recv(_CHUNK)
        if not chunk:
            return bytes(answer)
        answer += chunk
    if not cut:
        raise AnswerTooLarge
    return bytes(answer[:limit])


def open_stream(connection: PlainSocket, target: str, *, until: float) -> Stream:
    """Send a GET request and return its answer as soon as its head is there.

    The stream has the connection from then on. `until`: the deadline for the head.
    Raises as `exchange` does, and closes the connection then.
    """
    try:
        _send(connection, "GET", target, b"", until=until)
        head, begin = _head(connection, until)
    except BaseException:
        connection.close()
        raise
    return Stream(connection, head, begin)


def _head(connection: PlainSocket, until: float) -> tuple[bytes, bytes]:
    """Return the head of an answer, and what came after it already."""
    answer = b""
    while _END_OF_HEAD not in answer:
        if len(answer) > _HEAD_LIMIT:
            raise AnswerTooLarge
        connection.settimeout(_seconds_left(until))
        chunk = connection.recv(_CHUNK)
        if not chunk:
            break
        answer += chunk
    head, _, begin = answer.partition(_END_OF_HEAD)
    return head, begin


def _send(
    connection: PlainSocket, method: str, target: str, document: bytes, *, until: float
) -> None:
    headers = "Host: docker\r\n"
    if document:
        headers += f"Content-Type: application/json\r\nContent-Length: {len(document)}\r\n"
    connection.settimeout(_seconds_left(until))
    connection.sendall(f"{method} {target} HTTP/1.0\r\n{headers}\r\n".encode() + document)


def _seconds_left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
