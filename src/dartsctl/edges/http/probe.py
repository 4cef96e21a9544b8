"""Asking a server over HTTP, without waiting for it: what looks at a server must go on looking at other things meanwhile."""

from __future__ import annotations

import errno
import os
import socket
import time
from dataclasses import dataclass

from dartsctl.errors import DartsctlError
from dartsctl.stack.bindings import bracketed
from dartsctl.text.http_status import http_status

_ENOUGH = 4096
"""Bytes of an answer that are read at most: its first line says all."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is HTTP's; None when there was none, and `text` then says what there was instead."""

    text: str
    status: int | None = None
    heard: bool = False
    """Whether anything came back at all, HTTP or not."""


class Question:
    """One GET to `address`:`port`, sent without blocking. `look` until it says something; close it after that."""

    def __init__(self, address: str, port: int, path: str, *, patience: float) -> None:
        """`patience`: seconds after which no answer is one. Raises DartsctlError when this process has no descriptor left."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        host = bracketed(address)
        self._unsent = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: dartsctl\r\nAccept: */*\r\nConnection: close\r\n\r\n".encode()
        self._until = time.monotonic() + patience
        self._heard = b""
        try:
            self._line = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            raise DartsctlError(
                f"{host}:{port} cannot be asked: {error.strerror}",
                hint="raise the limit of open files: ulimit -n 4096",
            ) from error
        self._line.setblocking(False)
        self._problem = self._line.connect_ex((address, port))

    def look(self) -> Answer | None:
        """The answer, as soon as its first line is there; None while it is open. Never blocks, never raises."""
        if self._problem not in (0, errno.EINPROGRESS):
            return Answer(os.strerror(self._problem).lower())
        try:
            if self._unsent:
                self._unsent = self._unsent[self._line.send(self._unsent) :]
            received = self._line.recv(_ENOUGH)
        except OSError as error:
            if error.errno not in (
                errno.EAGAIN,
                errno.ENOTCONN,
            ):  # ENOTCONN: not connected yet, as macOS says it
                return Answer((error.strerror or str(error)).lower())
            return self._unless_late()
        self._heard += received
        if received and b"\n" not in self._heard and len(self._heard) < _ENOUGH:
            return self._unless_late()
        return _answer(self._heard)

    def _unless_late(self) -> Answer | None:
        return None if time.monotonic() < self._until else Answer("no answer")

    def close(self) -> None:
        """Give the connection back."""
        self._line.close()


def _answer(heard: bytes) -> Answer:
    status = http_status(heard)
    if status is not None:
        return Answer(f"status {status}", status, heard=True)
    return Answer(
        "an answer that is not HTTP" if heard else "closed without an answer", heard=bool(heard)
    )
