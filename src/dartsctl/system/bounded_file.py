"""Read a file that somebody else wrote: a regular file of limited size, without waiting."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from dartsctl.errors import UsageError
from dartsctl.text.phrases import shell_command

TEXT_LIMIT = 1 << 20
"""Bytes of a settings file, an env file or a certificate."""
COMPOSE_LIMIT = 16 << 20
"""Bytes of a Compose file; some are generated."""


class UnsuitableFile(OSError):
    """The path is not a regular file, or the file is too large."""


def read_bytes(path: Path, *, limit: int = TEXT_LIMIT) -> bytes:
    """Return the content of a regular file of at most `limit` bytes.

    Raises:
        UnsuitableFile: it is not a regular file, or too large; `strerror` says which.
        OSError: it cannot be opened or read.
    """
    check(path, limit=limit)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        _refuse_special(
            os.fstat(descriptor), path, limit
        )  # it may have been replaced since the check
        data = file.read(limit + 1)
    if len(data) > limit:  # it has grown, or is in /proc, where sizes are 0
        raise _too_large(path, limit)
    return data


def read_text(path: Path, *, limit: int = TEXT_LIMIT) -> str:
    """Return the text of a regular file; bytes that are not UTF-8 become U+FFFD.

    Raises OSError, as `read_bytes` does.
    """
    return read_bytes(path, limit=limit).decode(errors="replace")


def readable_text(path: Path, *, limit: int = TEXT_LIMIT) -> str:
    """Return the text of a file as `read_text` does; empty where it cannot be read."""
    try:
        return read_text(path, limit=limit)
    except OSError:
        return ""


def unreadable(path: Path, error: OSError) -> UsageError:
    """Return the error for a file of the user's that cannot be read."""
    return UsageError(f"cannot read {path}: {error.strerror}", hint=shell_command("ls", "-l", path))


def check(path: Path, *, limit: int) -> None:
    """Raise the OSError with which `read_bytes` would refuse the file.

    The file is not opened: opening a FIFO can block forever, and opening a device can have effects.
    """
    _refuse_special(path.stat(), path, limit)


def is_null_device(path: Path) -> bool:
    """Return whether `path` is /dev/null, the usual name of an empty env file."""
    try:
        return path.stat().st_rdev == Path(os.devnull).stat().st_rdev
    except OSError:
        return False


def _refuse_special(status: os.stat_result, path: Path, limit: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UnsuitableFile(
            errno.EINVAL, f"it is {_kind(status.st_mode)}, not a regular file", str(path)
        )
    if status.st_size > limit:
        raise _too_large(path, limit)


def _too_large(path: Path, limit: int) -> UnsuitableFile:
    return UnsuitableFile(errno.EFBIG, f"it is larger than {limit >> 20} MiB", str(path))


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a named pipe"
    if stat.S_ISSOCK(mode):
        return "a socket"
    return "a device"
