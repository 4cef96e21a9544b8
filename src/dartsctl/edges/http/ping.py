"""The heartbeat: one GET whose answer's status alone counts, with one deadline for all of it.

The URL is a secret: no problem contains it, nor anything that the receiver has answered.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit

from dartsctl.errors import Advice, UsageError
from dartsctl.text.http_status import http_status

PING_DEADLINE = 10.0
"""Seconds for one ping. Only the look-up of the host's name may take longer."""
_HEAD_LIMIT = 16384
"""Bytes in which the first line of an answer must end."""

Ping = Literal["start", "success", "fail"]
"""The signals of healthchecks.io: URL/start, URL, URL/fail."""


def check_ping_url(url: str, *, source: str) -> str:
    """Return the scheme and host of a heartbeat's URL, which are no secret.

    Raises UsageError that names the source and the scheme.
    """
    scheme = url.partition("://")[0]
    hint = Advice('write it as "https://hc-ping.com/UUID", or ${NAME}')
    if scheme not in ("http", "https"):
        raise UsageError(f"{source}: not an http or https URL", hint=hint)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")
    except ValueError:
        raise UsageError(
            f"{source}: the {scheme} URL has no valid host or port", hint=hint
        ) from None
    if not host or any(character.isspace() for character in url):
        raise UsageError(f"{source}: the {scheme} URL has no valid host", hint=hint)
    label = f"{scheme}://{host}"
    if port:
        label = f"{label}:{port}"
    return label


def ping(url: str, signal: Ping, *, deadline: float = PING_DEADLINE) -> str:
    """Send a signal; return why it was not taken, or nothing. Never raises."""
    until = time.monotonic() + deadline
    try:
        head = _first_line(urlsplit(url), signal, until)
    except (OSError, ValueError) as error:
        return _reason(error, deadline)
    status = http_status(head)
    if not head:
        return "closes the connection without an answer"
    if status is None:
        return "answers something that is not HTTP"
    if status // 100 != 2:
        return f"answers {status}"
    return ""


def _reason(error: OSError | ValueError, deadline: float) -> str:
    match error:
        case ssl.SSLError():
            return "has no valid TLS certificate"
        case TimeoutError():
            return f"does not answer within {deadline:g} s"
        case socket.gaierror():
            return "has an unknown host name"
        case OSError(strerror=str(text)):
            return f"cannot be reached: {text.lower()}"
    return "cannot be reached"


def _first_line(parts: SplitResult, signal: Ping, until: float) -> bytes:
    with _connected(parts, until) as connection:
        connection.sendall(_request(parts, signal))
        head = b""
        while b"\n" not in head and len(head) < _HEAD_LIMIT:
            connection.settimeout(_seconds_left(until))
            chunk = connection.recv(_HEAD_LIMIT)
            if not chunk:
                break
            head += chunk
    return head


@contextlib.contextmanager
def _connected(parts: SplitResult, until: float) -> Iterator[socket.socket]:
    host = parts.hostname or ""
    is_tls = parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    with socket.create_connection((host, port), timeout=_seconds_left(until)) as connection:
        if not is_tls:
            yield connection
            return
        context = ssl.create_default_context()
        connection.settimeout(_seconds_left(until))
        with context.wrap_socket(connection, server_hostname=host) as secure:
            secure.settimeout(_seconds_left(until))
            yield secure


def _request(parts: SplitResult, signal: Ping) -> bytes:
    path = parts.path or "/"
    if signal != "success":
        path = f"{path.rstrip('/')}/{signal}"
    if parts.query:
        path = f"{path}?{parts.query}"
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {parts.netloc.rpartition('@')[2]}",
        "User-Agent: dartsctl-watch",
        "Accept: */*",
        "Connection: close",
    ]
    if parts.username:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        lines.append(f"Authorization: Basic {base64.b64encode(login.encode()).decode()}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _seconds_left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
