"""One GET with a deadline of its own for everything together, and the certificate that was shown on the way. Reads the head of the answer alone."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass

from dartsctl.text.http_status import http_status

_ENOUGH = 16384


@dataclass(frozen=True, slots=True)
class Response:
    """`status` is None where there was none, and `problem` says why. `certificate` is DER, empty without TLS."""

    status: int | None
    problem: str = ""
    seconds: float = 0.0
    certificate: bytes = b""


def get(address: str, port: int, path: str, *, host: str, tls: bool, deadline: float) -> Response:
    """Ask `address` for `path` of the site `host`; any certificate is taken, being looked at is not being trusted. Never raises."""
    began = time.monotonic()
    until = began + deadline
    certificate = b""
    try:
        with _connected(address, port, until, host if tls else None) as line:
            if isinstance(line, ssl.SSLSocket):
                certificate = line.getpeercert(binary_form=True) or b""
            head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: dartsctl-doctor\r\nAccept: */*\r\nConnection: close\r\n\r\n"
            line.settimeout(_seconds_left(until))
            line.sendall(head.encode())
            heard = b""
            while b"\n" not in heard and len(heard) < _ENOUGH:
                line.settimeout(_seconds_left(until))
                received = line.recv(_ENOUGH)
                if not received:
                    break
                heard += received
    except TimeoutError:
        return Response(
            None, f"does not answer within {deadline:g} s", time.monotonic() - began, certificate
        )
    except ssl.SSLError as error:
        return Response(
            None,
            f"fails in the TLS handshake: {(error.reason or str(error)).replace('_', ' ').lower()}",
            time.monotonic() - began,
        )
    except OSError as error:
        return Response(
            None,
            f"fails: {(error.strerror or str(error)).lower()}",
            time.monotonic() - began,
            certificate,
        )
    except ValueError:  # what no name service takes: an empty label, one of more than 63 characters
        return Response(None, "fails: not the name of a host", time.monotonic() - began)
    status = http_status(heard)
    problem = (
        ""
        if status
        else "answers something that is not HTTP"
        if heard
        else "is closed without an answer"
    )
    return Response(status, problem, time.monotonic() - began, certificate)


def connect(address: str, port: int, *, deadline: float) -> str:
    """ "open", or the kernel's words for why not; a time-out says so."""
    try:
        with socket.create_connection((address, port), timeout=deadline):
            return "open"
    except TimeoutError:
        return f"no answer within {deadline:g} s"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    except ValueError:
        return "not the name of a host"


def _seconds_left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _connected(address: str, port: int, until: float, tls_host: str | None) -> socket.socket:
    line = socket.create_connection((address, port), timeout=_seconds_left(until))
    if tls_host is None:
        return line
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        line.settimeout(_seconds_left(until))
        return context.wrap_socket(line, server_hostname=tls_host)
    except BaseException:
        line.close()
        raise
