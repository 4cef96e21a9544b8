"""Two users on one host: what a test does as somebody else, and a file of root's that must stay as it is."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dartsctl.errors import DartsctlError

ANN = 1000
NOBODY = 65534

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")


def as_user(uid: int, action: Callable[[], object]) -> str:
    """What `action` returns as text, or the message of its DartsctlError, done by another user of this machine."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
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


@contextmanager
def public_folder(owner: int = 0, mode: int = 0o755) -> Iterator[Path]:
    """A new folder that every user can reach."""
    with tempfile.TemporaryDirectory(prefix="dartsctl-test-") as name:
        folder = Path(name)
        os.chown(folder, owner, owner)
        folder.chmod(mode)
        yield folder


@dataclass(frozen=True)
class Victim:
    """A file of root's, as it was."""

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
    return path.read_bytes(), status.st_uid, status.st_gid, status.st_mode, status.st_ino, status.st_nlink
