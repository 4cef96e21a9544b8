"""Where the ports of a dev stack have moved to on this machine: kept in the state folder, so that the next `up` finds the same numbers."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from dartsctl.errors import DartsctlError
from dartsctl.remapping import Move


class MoveBook:
    """The moves of one Compose project. `override` is the file that Compose is given; it exists only while there are moves."""

    def __init__(self, folder: Path, project: str) -> None:
        self._record = folder / "overrides" / f"{project}.json"
        self.override = folder / "overrides" / f"{project}.yml"

    def read(self) -> tuple[Move, ...]:
        """What has moved; nothing where nothing has, or the record is broken (then the files' own numbers count)."""
        try:
            return tuple(Move(**one) for one in json.loads(self._record.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return ()

    def keep(self, moves: Sequence[Move], override: str) -> Path:
        """Write both files (0600, replaced at once) and return the override's path. Raises DartsctlError where they cannot be written."""
        try:
            self._record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _replace(self._record, json.dumps([asdict(one) for one in moves], indent=1))
            _replace(self.override, override)
        except OSError as error:
            raise DartsctlError(
                f"the moved ports cannot be kept in {self._record.parent}: {error.strerror or error}",
                hint="make room or rights there, or name another folder: DARTSCTL_STATE_DIR=/a/folder dartsctl ...",
            ) from error
        return self.override

    def forget(self) -> bool:
        """Return to the files' own numbers; False where nothing had moved."""
        there = self._record.exists() or self.override.exists()
        self._record.unlink(missing_ok=True)
        self.override.unlink(missing_ok=True)
        return there


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)
