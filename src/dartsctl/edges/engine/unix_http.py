"""One HTTP request to a unix socket, with a deadline for the whole answer and a size limit.

The request is HTTP/1.0, so that the answer ends with the connection. http.client is not used:
importing it takes longer than a short command may.
"""

from __future__ import annotations

import errno
import socket
import time

_CHUNK = 64 << 10


class AnswerTooLarge(OSError):
    """The answer is larger than the limit."""


def connect(path: str, *, until: float) -> socket.socket:
    """Return a connection to the socket at `path`.

    `until`: the deadline, a moment of time.monotonic(). Raises OSError, TimeoutError.
    """
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
    """Send a request with a JSON `document` (or none) and return the answer, its head included.

    With `cut` an answer larger than `limit` bytes is cut there.
    Raises OSError; TimeoutError if the answer is not complete at `until`; AnswerTooLarge.
    """
    headers = "Host: docker\r\n"
    if document:
        headers += f"Content-Type: application/json\r\nContent-Length: {len(document)}\r\n"
    connection.settimeout(_seconds_left(until))
    connection.sendall(f"{method} {target} HTTP/1.0\r\n{headers}\r\n".encode() + document)
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
