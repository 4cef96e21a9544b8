"""The file of an incident report: new, private, and never over an existing one."""

from __future__ import annotations

import os

from dartsctl.errors import Advice, DartsctlError, Refused
from dartsctl.system.files import EVERYBODY, Folder, UnsafeFile
from dartsctl.system.path_walk import open_folder
from dartsctl.text.phrases import shell_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

_TRIES = 100


class IncidentFile:
    """A new file with the wanted name or the next free one: `incident.md`, `incident-2.md`.

    It is created at once, before anything is repaired.
    """

    def __init__(self, wanted: Path) -> None:
        """Create the file.

        Raises DartsctlError if that fails; Refused if the name is no regular file: /dev/null, a
        folder, a link.
        """
        try:
            self._folder = open_folder(wanted.parent)
            self.path, self._descriptor = _new_file(self._folder, wanted)
        except UnsafeFile as error:
            raise Refused(_message(wanted, error.message), hint=error.hint) from error
        except OSError as error:
            raise _failed(wanted, error.strerror) from error
        except ValueError as error:
            raise _failed(wanted, str(error)) from error

    def write(self, text: str) -> None:
        """Write the report. Raises DartsctlError if that fails; then the file is removed."""
        try:
            with os.fdopen(self._descriptor, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
        except OSError as error:
            self._folder.remove(self.path.name)
            raise DartsctlError(
                f"could not write the report {self.path}: {error.strerror}",
                hint=shell_command("df", "-h", self.path.parent),
            ) from error


def _new_file(folder: Folder, wanted: Path) -> tuple[Path, int]:
    """Create the file and return its path and descriptor. Raises DartsctlError, OSError."""
    path = wanted
    for number in range(1, _TRIES + 1):
        if number > 1:
            path = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
        try:
            return path, folder.create(path.name)
        except FileExistsError:
            folder.check(path.name, owners=EVERYBODY)
    raise DartsctlError(
        _message(wanted, f"there are {_TRIES} reports with this name"),
        hint=Advice("choose another name: --report FILE.md"),
    )


def _failed(wanted: Path, reason: str | None) -> DartsctlError:
    hint = shell_command("ls", "-ld", wanted.parent)
    return DartsctlError(_message(wanted, reason or "unknown error"), hint=hint)


def _message(wanted: Path, reason: str) -> str:
    return f"cannot write the report {wanted}: {reason}; nothing was done"
