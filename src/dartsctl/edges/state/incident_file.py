"""The file of an incident report: a new one, readable by its owner alone, never over one that is there."""

from __future__ import annotations

import os
from pathlib import Path

from dartsctl.errors import DartsctlError, Refused
from dartsctl.system.files import EVERYBODY, Folder, UnsafeFile, open_folder
from dartsctl.text.phrases import shell_command

_TRIES = 100


class IncidentFile:
    """A new file with the wanted name, or the next free one: `incident.md`, `incident-2.md`. It is made at once: before anything is repaired."""

    def __init__(self, wanted: Path) -> None:
        """Raises DartsctlError where no such file can be made; Refused where what has the name is no file: /dev/null, a folder, a link."""
        try:
            self._folder = open_folder(wanted.parent)
            self.path, self._descriptor = _new_file(self._folder, wanted)
        except UnsafeFile as error:
            raise Refused(
                f"the report {wanted} cannot be written: {error.message}; nothing was done",
                hint=error.hint,
            ) from error
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise DartsctlError(
                f"the report {wanted} cannot be written: {reason}; nothing was done",
                hint=shell_command("ls", "-ld", wanted.parent),
            ) from error

    def write(self, text: str) -> None:
        """Fill it. Raises DartsctlError where that fails (a full disk); then the file is gone."""
        try:
            with os.fdopen(self._descriptor, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
        except OSError as error:
            self._folder.remove(self.path.name)
            raise DartsctlError(
                f"the report {self.path} could not be written: {error.strerror}",
                hint=shell_command("df", "-h", self.path.parent),
            ) from error


def _new_file(folder: Folder, wanted: Path) -> tuple[Path, int]:
    """The path and the descriptor. Raises DartsctlError, OSError."""
    for number in range(1, _TRIES + 1):
        path = wanted if number == 1 else wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
        try:
            return path, folder.create(path.name)
        except FileExistsError:
            folder.check(path.name, owners=EVERYBODY)
    raise DartsctlError(
        f"{wanted} and {_TRIES - 1} more of that name are there; nothing was done",
        hint="name another file: --report FILE.md",
    )
