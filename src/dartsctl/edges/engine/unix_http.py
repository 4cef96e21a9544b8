"""One HTTP request to a unix socket, with one deadline for the whole answer and a limit of its size.

The request is HTTP/1.0, so that the answer ends with the connection: http.client's import alone costs more than a light command may
(PERFORMANCE.md, start-up).
"""

from __future__ import annotations

import errno
import socket
import time

_CHUNK = 64 << 10


class AnswerTooLarge(OSError):
    """The answer is longer than anybody can need."""


def connect(path: str, *, until: float) -> socket.socket:
    """Return a connection to the socket at `path`. `until` is a moment of time.monotonic(). Raises OSError, TimeoutError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
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
    connection: socket.socket,
    method: str,
    target: str,
    document: bytes,
    *,
    until: float,
    limit: int,
    cut: bool = False,
) -> bytes:
    """Send a request with a JSON `document` (or none), and return the whole answer, its head included.

    With `cut` an answer that is longer than `limit` bytes is cut there. Raises OSError; TimeoutError where it has not ended at
    `until`, however much of it came; AnswerTooLarge.
    """
    about = (
        f"Content-Type: application/json\r\nContent-Length: {len(document)}\r\n" if document else ""
    )
    connection.settimeout(_seconds_left(until))
    connection.sendall(
        f"{method} {target} HTTP/1.0\r\nHost: docker\r\n{about}\r\n".encode() + document
    )
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


def _seconds_left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
