"""One HTTP GET with a deadline for everything, and the certificate that the server shows.

Reads only the head of the answer. `ssl` is imported for TLS alone: that takes long.
"""

from __future__ import annotations

import socket
import time

from dartsctl.records import record
from dartsctl.text.http_status import http_status

_HEAD_LIMIT = 16384
"""Bytes in which the first line of an answer must end."""

_NO_CLIENT = b"PROXY UNKNOWN\r\n"
"""The line of the PROXY protocol (version 1) of a connection without a known client."""

_ALERTS = ("SSLV3_ALERT", "TLSV1")
"""How OpenSSL's names of the alerts begin that a TLS server refuses a handshake with."""


@record
class Response:
    """`status` is None if there was none, and `problem` says why.

    `certificate` is DER, empty without TLS.
    """

    status: int | None
    problem: str = ""
    seconds: float = 0.0
    certificate: bytes = b""


def get(
    address: str,
    port: int,
    path: str,
    *,
    host: str,
    tls: bool,
    deadline: float,
    proxy_protocol: bool = False,
) -> Response:
    """Ask `address` for `path` of the site `host`. Never raises.

    Any certificate is accepted, because it is only examined. `deadline`: seconds.
    `proxy_protocol`: begin as a load balancer does that says nothing about its client.
    """
    started = time.monotonic()
    until = started + deadline
    status, certificate = None, b""
    try:
        tls_host, preface = host if tls else None, _NO_CLIENT if proxy_protocol else b""
        with _connected(address, port, until, tls_host, preface) as connection:
            if tls:
                certificate = _certificate(connection)
            head = _first_line(connection, path, host, until)
        status, problem = _read_status(head)
    except TimeoutError:
        problem = f"does not answer within {deadline:g} s"
    except OSError as error:
        problem = f"fails: {(error.strerror or str(error)).lower()}"
        if tls and (reason := _tls_reason(error)):
            certificate = b""
            problem = f"fails in the TLS handshake: {reason.replace('_', ' ').lower()}"
    except ValueError:  # an empty label, or one of more than 63 characters
        problem = "fails: not the name of a host"
    return Response(status, problem, time.monotonic() - started, certificate)


def connect(address: str, port: int, *, deadline: float) -> str:
    """Return "open", or why no connection was made, in the kernel's words."""
    try:
        with _open(address, port, deadline):
            return "open"
    except TimeoutError:
        return f"no answer within {deadline:g} s"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    except ValueError:
        return "not the name of a host"


def speaks_tls(address: str, port: int, *, deadline: float) -> bool:
    """Whether a port answers the beginning of a TLS handshake with TLS."""
    until = time.monotonic() + deadline
    try:
        with _connected(address, port, until, "localhost"):
            return True
    except OSError as error:
        return _tls_reason(error).startswith(_ALERTS)
    except ValueError:
        return False


def _certificate(connection: socket.socket) -> bytes:
    import ssl

    if isinstance(connection, ssl.SSLSocket):
        return connection.getpeercert(binary_form=True) or b""
    return b""


def _tls_reason(error: OSError) -> str:
    """Return why TLS failed, in OpenSSL's words; empty for another error."""
    import ssl

    if isinstance(error, ssl.SSLError):
        return error.reason or str(error)
    return ""


def _connected(
    address: str, port: int, until: float, tls_host: str | None, preface: bytes = b""
) -> socket.socket:
    """Return a connection that began with `preface`, with TLS for `tls_host`."""
    connection = _open(address, port, _seconds_left(until))
    if preface:
        connection.sendall(preface)
    if tls_host is None:
        return connection
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        connection.settimeout(_seconds_left(until))
        return context.wrap_socket(connection, server_hostname=tls_host)
    except BaseException:
        connection.close()
        raise


def _open(address: str, port: int, seconds: float) -> socket.socket:
    """Return a connection. A name is looked up, which loads the codec for names of hosts."""
    is_ipv6 = ":" in address and "%" not in address
    if not is_ipv6 and not (address.isascii() and address.replace(".", "").isdecimal()):
        return socket.create_connection((address, port), timeout=seconds)
    family = socket.AF_INET6 if is_ipv6 else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect((address, port))
    except BaseException:
        connection.close()
        raise
    return connection


def _first_line(connection: socket.socket, path: str, host: str, until: float) -> bytes:
    """Send the request, and return what was received when the first line has ended."""
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: dartsctl-doctor\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n"
    )
    connection.settimeout(_seconds_left(until))
    connection.sendall(request.encode())
    head = b""
    while b"\n" not in head and len(head) < _HEAD_LIMIT:
        connection.settimeout(_seconds_left(until))
        chunk = connection.recv(_HEAD_LIMIT)
        if not chunk:
            break
        head += chunk
    return head


def _read_status(head: bytes) -> tuple[int | None, str]:
    """Return the status of an answer, or the problem with it."""
    if status := http_status(head):
        return status, ""
    if head:
        return None, "answers something that is not HTTP"
    return None, "is closed without an answer"


def _seconds_left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
