"""What dartsctl has stopped or changed: one JSON line each, in the state folder, for people who wonder afterwards."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEPT = 1000
"""Lines; older ones go when the file has twice as many."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One action. `when` is Unix time, seconds; `by` the user; `details` are plain values without secrets."""

    when: float
    action: str
    what: str
    why: str
    by: str
    details: Mapping[str, Any]


class History:
    """The record in `folder` (the state folder). Appending is atomic for lines of this size; nothing is written before the first `add`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "history.jsonl"

    def add(self, action: str, what: str, why: str, **details: Any) -> None:
        """Append one entry. A history that cannot be written must not keep a conflict from being resolved: then there is none."""
        import getpass

        entry = {"when": time.time(), "action": action, "what": what, "why": why, "by": getpass.getuser(), "details": details}
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")
            self._shorten()
        except OSError:
            return

    def read(self) -> tuple[Entry, ...]:
        """Everything that is remembered, oldest first; lines that were cut by a full disk are left out."""
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except OSError:
            return ()
        return tuple(entry for line in lines if (entry := _entry(line)))

    def _shorten(self) -> None:
        lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
        if len(lines) > 2 * KEPT:
            fresh = self._path.with_suffix(f".{os.getpid()}")
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                file.writelines(lines[-KEPT:])
            fresh.replace(self._path)


def _entry(line: str) -> Entry | None:
    try:
        return Entry(**json.loads(line))
    except (ValueError, TypeError):
        return None
