"""Known versions of Compose programs. Asking one takes a tenth of the time of a preflight."""

from __future__ import annotations

from dartsctl.edges.state.remembered import Remembered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

_MOST = 8
"""Programs that are remembered; a machine has one or two."""


class ComposeVersions:
    """A KnownVersions in the state folder `folder`."""

    def __init__(self, folder: Path) -> None:
        self._remembered = Remembered(folder, "compose-versions.json", most=_MOST)

    def version_of(self, program: Path) -> str:
        """Return the version of `program`; empty if it is unknown, or the file has changed."""
        entry = self._remembered.get(str(program))
        if not isinstance(entry, dict) or entry.get("file") != _identity(program):
            return ""
        return str(entry.get("version", ""))

    def keep(self, program: Path, version: str) -> None:
        """Remember `version` until the file of the program changes."""
        self._remembered.keep(str(program), {"file": _identity(program), "version": version})


def _identity(program: Path) -> list[int]:
    """Return what differs for every new file at that path."""
    try:
        status = program.stat()
    except OSError:
        return []
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns]
