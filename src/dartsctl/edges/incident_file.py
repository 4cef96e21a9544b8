"""The file of an incident report: a new one, readable by its owner alone, never over one that is there."""

from __future__ import annotations

import os
from pathlib import Path

from dartsctl.errors import DartsctlError

_TRIES = 100


class IncidentFile:
    """A new file with the wanted name, or the next free one: `incident.md`, `incident-2.md`. It is made at once: before anything is repaired."""

    def __init__(self, wanted: Path) -> None:
        """Raises DartsctlError where no such file can be made."""
        for number in range(1, _TRIES + 1):
            self.path = wanted if number == 1 else wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
            try:
                self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            except FileExistsError:
                continue
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                raise DartsctlError(f"the report {wanted} cannot be written: {reason}; nothing was done", hint=f"ls -ld {wanted.parent}") from error
            return
        raise DartsctlError(f"{wanted} and {_TRIES - 1} more of that name are there; nothing was done", hint="name another file: --report FILE.md")

    def write(self, text: str) -> None:
        """Fill it. Raises DartsctlError where that fails (a full disk)."""
        try:
            with os.fdopen(self._descriptor, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
        except OSError as error:
            raise DartsctlError(f"the report {self.path} could not be written: {error.strerror}", hint=f"df -h {self.path.parent}") from error
