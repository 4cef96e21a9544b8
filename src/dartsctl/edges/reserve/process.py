"""The process that reserves ports, seen from `watch`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.edges.reserve.messages import LONGEST_LINE, SOCKET_NAME, State, read_state
from dartsctl.system.users import trusted_users

if TYPE_CHECKING:
    from dartsctl.edges.reserve.messages import Orders
    from dartsctl.system.files import Folder

_SCRIPT = (
    "import sys; sys.path.append(sys.argv.pop(1));"
    " from dartsctl.edges.reserve import main as reserve; reserve.main()"
)
_SOURCE = str(Path(__file__).parents[3])
_END = 2.0
"""Seconds until a process that should end is killed."""


class ReserveProcess:
    """The process, with its socket in a folder of the state folder. A context manager."""

    def __init__(self, folder: Folder, project: str) -> None:
        """Start it. Raises OSError."""
        self.state = State()
        users = {*trusted_users(), folder.status.st_uid}
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, _bound(folder) as listener:
            descriptor = listener.fileno()
            words = [str(os.getpid()), project, str(descriptor), *map(str, sorted(users))]
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _SCRIPT, _SOURCE, *words],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                pass_fds=[descriptor],
                start_new_session=True,  # Ctrl-C and Ctrl-Z are for `watch` alone
            )

    def __enter__(self) -> ReserveProcess:
        return self

    def __exit__(self, *_error: object) -> None:
        self._control.close()
        try:
            self._process.wait(_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, orders: Orders) -> bool:
        """Pass orders on. Return False if the process has ended, or does not read them."""
        try:
            self._control.send(orders.line(), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except OSError:
            return False
        return True

    def read(self) -> bool:
        """Read the new states, without waiting. Return False if the process has ended."""
        try:
            while message := self._control.recv(LONGEST_LINE, socket.MSG_DONTWAIT):
                self.state = read_state(message)
        except BlockingIOError:
            return True
        except (OSError, ValueError):
            return False
        return False

    @property
    def descriptor(self) -> int:
        """Readable when there is a new state."""
        return self._control.fileno()


def _bound(folder: Folder) -> socket.socket:
    """Return a bound unix socket in a private folder, which replaces an earlier one.

    The folder's own descriptor is used: its path may be longer than the kernel takes.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        folder.remove(SOCKET_NAME)
        place = f"/proc/self/fd/{folder.descriptor}/{SOCKET_NAME}"
        listener.bind(place)
        os.chmod(SOCKET_NAME, 0o600, dir_fd=folder.descriptor)
        if os.geteuid() == 0 and folder.status.st_uid != 0:
            os.chown(
                SOCKET_NAME,
                folder.status.st_uid,
                folder.status.st_gid,
                dir_fd=folder.descriptor,
                follow_symlinks=False,
            )
    except OSError:
        listener.close()
        raise
    return listener
