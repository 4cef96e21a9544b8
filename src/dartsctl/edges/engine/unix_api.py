"""Requests to the engine's API on its unix socket: errors become ours, answers are checked JSON."""

from __future__ import annotations

import _socket
import os
import struct
import time
from contextlib import contextmanager

from dartsctl.edges.engine import unix_http
from dartsctl.edges.engine.address import socket_path
from dartsctl.errors import DartsctlError, DockerUnavailable
from dartsctl.text.http_status import http_status
from dartsctl.text.strict_json import Cursor, Source, read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ANSWER_LIMIT = 16 << 20
"""Bytes of an answer."""


class NotFound(DartsctlError):
    """HTTP 404."""


class RequestFailed(DockerUnavailable):
    """Any other HTTP error: the engine is there, but refuses the request."""


class UnixApi:
    """The API behind one unix socket. `deadline`: seconds for each whole answer.

    Every method raises DockerUnavailable if the engine does not answer.
    """

    def __init__(self, address: str, *, deadline: float) -> None:
        self.address = address
        self.source = Source(
            f"the engine at {address}", error=DockerUnavailable, hint="docker version"
        )
        self._path = socket_path(address)
        self.deadline = deadline

    def get(self, path: str, name: str) -> Cursor:
        """Return the JSON document at `path`. Messages call it `name`."""
        return read_json(self.request("GET", path), self.source, name)

    def request(
        self,
        method: str,
        path: str,
        document: bytes = b"",
        *,
        limit: int = ANSWER_LIMIT,
        cut: bool = False,
    ) -> bytes:
        """Return the body of the answer.

        With `cut` a body larger than `limit` bytes is cut there, else it is an error.
        """
        _, body = self._exchange(method, path, document, limit=limit, cut=cut)
        return body

    def head(self, path: str) -> bytes:
        """Return the head of the answer to a HEAD request."""
        head, _ = self._exchange("HEAD", path, b"", limit=ANSWER_LIMIT, cut=False)
        return head

    def _exchange(
        self, method: str, path: str, document: bytes, *, limit: int, cut: bool
    ) -> tuple[bytes, bytes]:
        until = time.monotonic() + self.deadline
        with self._connection_errors(limit), unix_http.connect(self._path, until=until) as line:
            answer = unix_http.exchange(
                line, method, path, document, until=until, limit=limit, cut=cut
            )
        head, _, body = answer.partition(b"\r\n\r\n")
        self._refuse_error(path, head, body)
        return head, body

    def stream(self, path: str) -> unix_http.Stream:
        """Return the answer at `path` as a stream. The caller closes it."""
        until = time.monotonic() + self.deadline
        with self._connection_errors(ANSWER_LIMIT):
            line = unix_http.connect(self._path, until=until)
            stream = unix_http.open_stream(line, path, until=until)
        if http_status(stream.head) != 200:
            body = stream.read(self.deadline) or b""
            stream.close()
            self._refuse_error(path, stream.head, body)
            raise RequestFailed(f"the engine at {self.address} has no stream at {path}")
        return stream

    def _refuse_error(self, path: str, head: bytes, body: bytes) -> None:
        """Raise the error that an answer's head tells, with the message of its body."""
        status = http_status(head) or 0
        if status == 404:
            raise NotFound(f"the engine has no {path}")
        if status // 100 not in (2, 3):
            raise RequestFailed(
                f"the engine at {self.address} answered {_message(body)}", hint="docker info"
            )

    @contextmanager
    def _connection_errors(self, limit: int) -> Iterator[None]:
        """Within it every error of the connection becomes DockerUnavailable."""
        try:
            yield
        except PermissionError as error:
            raise DockerUnavailable(
                f"permission denied by the Docker engine at {self.address}",
                hint="sudo usermod -aG docker $USER && newgrp docker",
            ) from error
        except (TimeoutError, BlockingIOError):  # the latter: the socket's backlog is full
            raise DockerUnavailable(
                f"the Docker engine at {self.address} did not answer within {self.deadline:.0f} s",
                hint="sudo systemctl restart docker",
            ) from None
        except unix_http.AnswerTooLarge:
            raise DockerUnavailable(
                f"the Docker engine at {self.address} sent more than {limit >> 20} MiB",
                hint="docker info",
            ) from None
        except OSError as error:
            from dartsctl.edges.engine.installation import no_engine

            raise no_engine(self.address, os.environ) from error

    def peer(self) -> tuple[int | None, int | None]:
        """Return pid and uid of the process that listens on the engine's socket (Linux).

        A pid of 0 is outside of this pid namespace.
        """
        if not hasattr(_socket, "SO_PEERCRED"):
            return None, None
        until = time.monotonic() + self.deadline
        with (
            self._connection_errors(ANSWER_LIMIT),
            unix_http.connect(self._path, until=until) as line,
        ):
            credentials = line.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
        pid, uid, _ = struct.unpack("3i", credentials)
        if pid == 1:  # socket activation: systemd made the socket
            from dartsctl.edges.engine import daemon

            pid = daemon.pid_from_file()
        return pid, uid


def _message(body: bytes) -> str:
    """Return the text of an error answer."""
    try:
        return read_json(body, Source("the engine")).at("message").prose()
    except DartsctlError:
        return "something that is not an answer of a Docker engine"
