"""Two users on one host: actions as another user, and a file of root's that must not change."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dartsctl.edges.supervisor.confine import die_with_parent
from dartsctl.errors import DartsctlError

ANN = 1000
BOB = 61002
"""A uid without a name."""
NOBODY = 65534

_NEVER = object()

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")


def as_user(uid: int, action: Callable[[], object]) -> str:
    """Do `action` as another user. Return its result as text, or its DartsctlError's message."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _become(uid)
            answer = str(action())
        except DartsctlError as error:
            answer = error.message
        except BaseException as error:
            answer = repr(error)
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        answer = file.read()
    os.waitpid(child, 0)
    return answer


def start_as(uid: int, action: Callable[[], object]) -> int:
    """Start a process of `uid` that does `action` and then waits to be killed.

    Return its pid after `action`. It is a fork, because other users may not be able to execute
    this interpreter.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setpgid(0, 0)
            die_with_parent()  # loads what another user may not read
            _become(uid)
            die_with_parent()  # again: the kernel forgets it with the uid
            kept = action()  # a lock, a socket: open until the end
            os.write(writer, b"done")
            while kept is not _NEVER:
                signal.pause()
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        assert file.read(4) == b"done"
    return child


def has_ended(pid: int) -> bool:
    """Return whether a process of `start_as` has ended. It stays a zombie until `end`."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def end(pid: int) -> None:
    """Kill a process of `start_as`, which may have ended."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _become(uid: int) -> None:
    """Give up all of root's rights permanently."""
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


@contextmanager
def public_folder(owner: int = 0, mode: int = 0o755) -> Iterator[Path]:
    """Make a folder that every user can reach."""
    with tempfile.TemporaryDirectory(prefix="dartsctl-test-") as name:
        folder = Path(name)
        os.chown(folder, owner, owner)
        folder.chmod(mode)
        yield folder


@dataclass(frozen=True)
class Victim:
    """A file of root's, and its state before the test."""

    path: Path
    before: tuple[bytes, int, int, int, int, int]

    @classmethod
    def at(cls, path: Path) -> Victim:
        path.write_text("root's own\n")
        path.chmod(0o600)
        return cls(path, _state(path))

    def is_untouched(self) -> bool:
        return _state(self.path) == self.before


def _state(path: Path) -> tuple[bytes, int, int, int, int, int]:
    status = path.stat()
    return (
        path.read_bytes(),
        status.st_uid,
        status.st_gid,
        status.st_mode,
        status.st_ino,
        status.st_nlink,
    )
