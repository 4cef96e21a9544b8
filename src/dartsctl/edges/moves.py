"""Where the ports of a dev stack have moved to on this machine: kept in the state folder, so that the next `up` finds the same numbers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

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
            return tuple(_move(one) for one in json.loads(self._record.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return ()

    def keep(self, moves: Sequence[Move], override: str) -> Path:
        """Write both files (0600, replaced at once) and return the override's path. Raises DartsctlError where they cannot be written."""
        with self._writing():
            self._record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _replace(self.override, override)
            _replace(self._record, json.dumps([asdict(one) for one in moves], indent=1))
        return self.override

    def keep_leased(self, service: str, override: str) -> Path:
        """Write the override that publishes `service` on a leased port, and return its path. Raises DartsctlError."""
        path = self.override.with_name(f"{self.override.stem}.{service}.yml")
        with self._writing():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _replace(path, override)
        return path

    def forget(self) -> bool:
        """Return to the files' own numbers; False where nothing had moved. Raises DartsctlError where that cannot be written."""
        there = self._record.exists() or self.override.exists()
        with self._writing():
            self._record.unlink(missing_ok=True)
            self.override.unlink(missing_ok=True)
        return there

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DartsctlError(
                f"the moved ports cannot be kept in {self._record.parent}: {error.strerror or error}",
                hint="make room or rights there, or name another folder: DARTSCTL_STATE_DIR=/a/folder dartsctl ...",
            ) from error


def _move(one: Any) -> Move:
    """Raises TypeError for what is no move."""
    move = Move(**one)
    if not all(isinstance(value, str) for value in (move.service, move.protocol, move.old)) or not all(
        isinstance(value, int) for value in (move.target, move.new)
    ):
        raise TypeError("not a move")
    return move


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        fresh.replace(path)
        _give_to_the_folders_owner(path)
    except BaseException:
        with suppress(OSError):
            fresh.unlink()
        raise


def _give_to_the_folders_owner(path: Path) -> None:
    """Under sudo the state folder is the caller's (EDGE 84), and what is in it must stay theirs to read and to replace."""
    owner = path.parent.parent.stat()
    if os.geteuid() == 0 and owner.st_uid:
        for one in (path.parent, path):
            os.chown(one, owner.st_uid, owner.st_gid)
