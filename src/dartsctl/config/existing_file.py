"""Files that are named: absolute, and regular files of a sensible size."""

from __future__ import annotations

import os
from pathlib import Path

from dartsctl.errors import Advice, UsageError
from dartsctl.system import bounded_file
from dartsctl.text.phrases import shell_command


def absolute(path: Path) -> Path:
    """Return the path from the working folder, without `..`."""
    return Path(os.path.normpath(path.absolute()))


def existing(file: Path, origin: str) -> Path:
    """Return `file` if it is a regular file of a sensible size, or /dev/null.

    Compose would wait for a named pipe, and read a device without end. Raises UsageError that
    begins with `origin`, what named the file; empty for a file that its own name picked.
    """
    named = f"{origin}: " if origin else ""
    try:
        if file.is_dir():
            raise UsageError(f"{named}{file} is a folder", hint=Advice("name the file in it"))
        if not bounded_file.is_null_device(file):
            bounded_file.check(file, limit=bounded_file.COMPOSE_LIMIT)
    except FileNotFoundError:
        if file.is_symlink():
            raise UsageError(
                f"{named}broken symbolic link: {file}", hint=shell_command("ls", "-l", file)
            ) from None
        raise UsageError(
            f"{named}no such file: {file}", hint=shell_command("ls", file.parent)
        ) from None
    except OSError as error:
        raise UsageError(
            f"{named}cannot read {file}: {error.strerror}", hint=shell_command("ls", "-l", file)
        ) from error
    return file
