"""The heartbeat: one GET whose answer's status alone counts, with one deadline for all of it.

The URL is a secret: no problem contains it, nor anything that the receiver has answered.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import os
import socket
import ssl
import time
from typing import TYPE_CHECKING, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from dartsctl.errors import Advice, UsageError
from dartsctl.text.http_status import http_status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    parts = urlsplit(url)
    try:
        head = _first_line(parts, proxy_for(parts, os.environ), signal, until)
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


def proxy_for(parts: SplitResult, environ: Mapping[str, str]) -> SplitResult | None:
    """Return the proxy that the environment names for a URL, as other programs take it."""
    host = parts.hostname or ""
    excepted = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    for entry in excepted.replace(" ", "").split(","):
        domain = entry.lstrip(".").lower()
        if entry == "*" or (domain and (host == domain or host.endswith(f".{domain}"))):
            return None
    names: tuple[str, ...] = (
        "http_proxy",
        "all_proxy",
        "ALL_PROXY",
    )  # HTTP_PROXY may come from a CGI client
    if parts.scheme == "https":
        names = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    for name in names:
        text = environ.get(name)
        if not text:
            continue
        if "://" not in text:
            text = f"http://{text}"
        proxy = urlsplit(text)
        if proxy.hostname:
            return proxy
    return None


def _first_line(parts: SplitResult, proxy: SplitResult | None, signal: Ping, until: float) -> bytes:
    with _connected(parts, proxy, until) as connection:
        connection.sendall(_request(parts, signal, is_proxied=proxy is not None))
        return _received(connection, b"\n", until)


def _received(connection: socket.socket, end: bytes, until: float) -> bytes:
    """Return what comes up to `end`, or all if it ends or is too long."""
    head = b""
    while end not in head and len(head) < _HEAD_LIMIT:
        connection.settimeout(_seconds_left(until))
        chunk = connection.recv(_HEAD_LIMIT)
        if not chunk:
            break
        head += chunk
    return head


@contextlib.contextmanager
def _connected(
    parts: SplitResult, proxy: SplitResult | None, until: float
) -> Iterator[socket.socket]:
    host = parts.hostname or ""
    address = (host, _port(parts))
    if proxy:
        address = (proxy.hostname or "", _port(proxy))
    with socket.create_connection(address, timeout=_seconds_left(until)) as connection:
        if parts.scheme != "https":
            yield connection
            return
        if proxy:
            _open_tunnel(connection, parts, proxy, until)
        context = ssl.create_default_context()
        connection.settimeout(_seconds_left(until))
        with context.wrap_socket(connection, server_hostname=host) as secure:
            secure.settimeout(_seconds_left(until))
            yield secure


def _open_tunnel(
    connection: socket.socket, parts: SplitResult, proxy: SplitResult, until: float
) -> None:
    """Have the proxy connect to the receiver. Raises OSError if it does not."""
    target = f"{parts.hostname}:{_port(parts)}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", *_login("Proxy-", proxy)]
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    status = http_status(_received(connection, b"\r\n\r\n", until))
    if status != 200:
        raise ConnectionError(errno.ECONNREFUSED, f"the proxy answers {status or 'nothing'}")


def _port(parts: SplitResult) -> int:
    if parts.port:
        return parts.port
    if parts.scheme == "https":
        return 443
    return 80


def _login(prefix: str, parts: SplitResult) -> list[str]:
    """Return the header line for the user in a URL."""
    if not parts.username:
        return []
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return [f"{prefix}Authorization: Basic {base64.b64encode(login.encode()).decode()}"]


def _request(parts: SplitResult, signal: Ping, *, is_proxied: bool) -> bytes:
    host = parts.netloc.rpartition("@")[2]
    path = parts.path or "/"
    if signal != "success":
        path = f"{path.rstrip('/')}/{signal}"
    if parts.query:
        path = f"{path}?{parts.query}"
    if is_proxied and parts.scheme == "http":
        path = f"http://{host}{path}"
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "User-Agent: dartsctl-watch",
        "Accept: */*",
        "Connection: close",
        *_login("", parts),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _seconds_left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
