"""A few answers in a JSON file of the state folder, which can be found out again without it."""

from __future__ import annotations

import json

from dartsctl.edges.state.folder import open_state, parse_json, replace_losable
from dartsctl.errors import DartsctlError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

_LIMIT = 1 << 16
"""Bytes of a file."""


class Remembered:
    """The newest `most` entries of `file` in the state folder `folder`.

    A file that cannot be read has none, and one that cannot be written is no error.
    """

    def __init__(self, folder: Path, file: str, *, most: int) -> None:
        self._folder = folder
        self._file = file
        self._most = most

    def get(self, key: str) -> Any:
        """Return the value of an entry; None without one."""
        return self._read().get(key)

    def keep(self, key: str, value: object) -> None:
        """Remember an entry as the newest one."""
        entries = self._read()
        entries.pop(key, None)
        entries[key] = value
        text = json.dumps(dict(list(entries.items())[-self._most :]), indent=1)
        replace_losable(self._folder, self._file, text.encode())

    def _read(self) -> dict[str, Any]:
        try:
            with open_state(self._folder) as folder:
                entries = parse_json(folder.read(self._file, limit=_LIMIT))
        except (OSError, ValueError, DartsctlError):
            return {}
        return entries if isinstance(entries, dict) else {}
