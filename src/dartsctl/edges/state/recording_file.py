"""The file of a recording: new, private, and limited in size."""

from __future__ import annotations

import os

from dartsctl.errors import Advice, DartsctlError, Refused
from dartsctl.system.path_walk import open_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

_LARGEST = 1 << 30
"""Bytes: a recording that was forgotten must not fill the disk."""


class RecordingFile:
    """A new file to which lines are added. It ends silently where it cannot grow."""

    def __init__(self, path: Path) -> None:
        """Create the file. Raises Refused if it exists, DartsctlError if it cannot be created."""
        try:
            with open_folder(path.parent) as folder:
                self._descriptor = folder.create(path.name)
        except FileExistsError:
            raise Refused(
                f"a file of that name exists: {path}", hint=Advice("name another file")
            ) from None
        except OSError as error:
            raise DartsctlError(f"cannot create {path}: {error.strerror}") from error
        self._size = 0

    def add(self, line: str) -> None:
        """Add a line. Never raises."""
        data = line.encode(errors="replace") + b"\n"
        if self._size + len(data) > _LARGEST:
            return
        try:
            self._size += os.write(self._descriptor, data)
        except OSError:
            self._size = _LARGEST

    def close(self) -> None:
        """End the recording."""
        os.close(self._descriptor)
