"""A file of this host that another process appends to, followed across its rotation."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 256 << 10
"""Bytes that are read at once. What is left comes the next time."""
_TAIL = 64
"""Bytes before the end that show whether the file is still the same."""
_BEHIND = 8 << 20
"""Bytes behind its end from which on the reader skips to the end."""


class FollowedFile:
    """A regular file, from its end on when it is opened first.

    Another file under its name is read from its beginning, after the rest of the old one. So is a
    file that became shorter, or whose last bytes before our place are others (copytruncate).
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError if it cannot be read, or is no regular file."""
        self.path = path
        self.skipped = 0
        """Bytes that were not read because too many came at once."""
        self._file = _open(path)
        self._place = os.fstat(self._file).st_size
        self._tail = self._bytes_before()

    def read(self) -> bytes:
        """Return what was appended since, at most 256 KiB. Never raises."""
        with suppress(OSError):
            return self._read()
        return b""

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _read(self) -> bytes:
        size = os.fstat(self._file).st_size
        if size < self._place or (size > self._place and self._bytes_before() != self._tail):
            self._place = 0
        if size - self._place > _BEHIND:
            self.skipped += size - self._place
            self._place = size
            self._tail = self._bytes_before()
        data = self._next()
        if data or not self._has_successor():
            return data
        data = self._next()  # what came before its writer has left it
        if not data:
            self._take_successor()
        return data

    def _next(self) -> bytes:
        data = os.pread(self._file, _CHUNK, self._place)
        self._place += len(data)
        if data:
            self._tail = self._bytes_before()
        return data

    def _has_successor(self) -> bool:
        """Whether another file has the name now, and is written already."""
        here, there = os.fstat(self._file), self.path.stat(follow_symlinks=False)
        is_same = (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
        return not is_same and there.st_size > 0

    def _take_successor(self) -> None:
        file = _open(self.path)
        os.close(self._file)
        self._file, self._place, self._tail = file, 0, b""

    def _bytes_before(self) -> bytes:
        begin = max(self._place - _TAIL, 0)
        return os.pread(self._file, self._place - begin, begin)


def _open(path: Path) -> int:
    """Return the descriptor of a regular file. A link is refused: a container may have made it."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(f"{path} is no regular file")
    return file
