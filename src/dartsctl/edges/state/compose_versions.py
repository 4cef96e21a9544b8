"""Known versions of Compose programs. Asking one takes a tenth of the time of a preflight."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dartsctl.edges.state.folder import open_state, parse_json
from dartsctl.errors import DartsctlError

_FILE = "compose-versions.json"
_LIMIT = 1 << 16  # bytes
_MOST = 8
"""Programs that are remembered; a machine has one or two."""


class ComposeVersions:
    """A KnownVersions in the state folder `folder`.

    Where it cannot be read or written, the program is asked again the next time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def version_of(self, program: Path) -> str:
        """Return the version of `program`; empty if it is unknown, or the file has changed."""
        entry = self._read().get(str(program))
        if not isinstance(entry, dict) or entry.get("file") != _identity(program):
            return ""
        return str(entry.get("version", ""))

    def keep(self, program: Path, version: str) -> None:
        """Remember `version` until the file of the program changes."""
        entries = self._read()
        entries.pop(str(program), None)
        entries[str(program)] = {"file": _identity(program), "version": version}
        text = json.dumps(dict(list(entries.items())[-_MOST:]), indent=1)
        try:
            with open_state(self._folder, make=True) as folder:
                folder.replace(_FILE, text.encode())
        except (OSError, DartsctlError):
            return

    def _read(self) -> dict[str, Any]:
        try:
            with open_state(self._folder) as folder:
                entries = parse_json(folder.read(_FILE, limit=_LIMIT))
        except (OSError, ValueError, DartsctlError):
            return {}
        return entries if isinstance(entries, dict) else {}


def _identity(program: Path) -> list[int]:
    """Return what differs for every new file at that path."""
    try:
        status = program.stat()
    except OSError:
        return []
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns]
