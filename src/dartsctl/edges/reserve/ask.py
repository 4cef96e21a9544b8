"""Asking the process that reserves ports: what it has, and to let go."""

from __future__ import annotations

import _socket
import os
import select
import struct
import time
from contextlib import suppress
from pathlib import Path

from dartsctl.edges.reserve.messages import LONGEST_LINE, SOCKET_NAME, State, read_state, request
from dartsctl.system.plain_socket import PlainSocket
from dartsctl.system.users import trusted_users

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.system.files import Folder

_PROGRAM = b"dartsctl.edges.reserve"
_CONNECTING = 0.5
"""Seconds. Only a process that has not accepted anybody for long makes others wait."""
_GONE = 5.0
"""Seconds until a killed process has ended."""


class Connection:
    """A connection to the process that reserves a project's ports. A context manager."""

    def __init__(self, connection: PlainSocket) -> None:
        self._connection = connection
        credentials = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
        self.pid, self._uid, _ = struct.unpack("3i", credentials)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_error: object) -> None:
        self._connection.close()

    def ask(self, word: str, *, within: float) -> State | None:
        """Ask for its `state`, or to `release` the ports until this connection ends.

        None if it does not answer within that many seconds.
        """
        deadline = time.monotonic() + within
        answer = b""
        try:
            self._connection.sendall(request(word))
            while not answer.endswith(b"\n"):
                left = deadline - time.monotonic()
                if left <= 0 or not select.select([self._connection], [], [], left)[0]:
                    return None
                chunk = self._connection.recv(LONGEST_LINE)
                if not chunk or len(answer) > LONGEST_LINE:
                    return None
                answer += chunk
            return read_state(answer)
        except (OSError, ValueError):
            return None

    @property
    def parent(self) -> int:
        """The pid of its parent, which is the watch; 0 if it has ended."""
        try:
            status = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return 0
        return int(status.rpartition(")")[2].split()[1])

    def kill(self) -> bool:
        """End the process, and so let go whatever it holds. Return whether it has ended.

        Only if it is what we take it for.
        """
        if self._uid not in trusted_users():
            return False
        import signal

        try:
            process = os.pidfd_open(self.pid)
        except OSError:
            return True
        try:
            if _PROGRAM not in Path(f"/proc/{self.pid}/cmdline").read_bytes():
                return False
            signal.pidfd_send_signal(process, signal.SIGKILL)
            return bool(select.select([process], [], [], _GONE)[0])
        except OSError:
            return False
        finally:
            os.close(process)


def connect(folder: Folder) -> Connection | None:
    """Connect to the process whose socket is in `folder`; None if there is none."""
    status = folder.stat(SOCKET_NAME)
    if status is None or status.st_uid not in trusted_users():
        return None
    connection = PlainSocket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.settimeout(_CONNECTING)
    with suppress(OSError):
        connection.connect(f"/proc/self/fd/{folder.descriptor}/{SOCKET_NAME}")
        return Connection(connection)
    connection.close()
    return None
