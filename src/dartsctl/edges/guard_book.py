"""Which virtual environments of this machine have a guard: in the state folder, one small file each, so that no lock is needed."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dartsctl.errors import DartsctlError


@dataclass(frozen=True, slots=True)
class Guarded:
    """A virtual environment into which a guard was installed, and the Compose project of the production whose ports it refuses."""

    venv: Path
    project: str


class GuardBook:
    """The book in `folder` (the state folder). Nothing is written before the first `add`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "guards"

    def add(self, venv: Path, project: str) -> None:
        """Remember it. Raises DartsctlError where that cannot be written."""
        path = self._path(venv)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                partial.write_text(json.dumps({"venv": str(venv), "project": project}), encoding="utf-8")
                partial.replace(path)
            except BaseException:
                with suppress(OSError):
                    partial.unlink()
                raise
            _give_to_the_folders_owner(path)
        except OSError as error:
            raise DartsctlError(
                f"the guard cannot be remembered in {self._folder}: {error.strerror or error}",
                hint="make room or rights there, or name another folder: DARTSCTL_STATE_DIR=/a/folder dartsctl ...",
            ) from error

    def forget(self, venv: Path) -> None:
        """Its guard has gone. What cannot be removed now is found to be gone the next time again."""
        with suppress(OSError):
            self._path(venv).unlink(missing_ok=True)

    def read(self) -> tuple[Guarded, ...]:
        """All of them, by path; what cannot be read is left out."""
        try:
            files = list(self._folder.iterdir())
        except OSError:
            return ()
        found = [one for file in files if file.suffix == ".json" and (one := _guarded(file))]
        return tuple(sorted(found, key=lambda one: one.venv))

    def _path(self, venv: Path) -> Path:
        import hashlib

        return self._folder / (hashlib.sha256(os.fsencode(venv)).hexdigest()[:16] + ".json")


def _guarded(path: Path) -> Guarded | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Guarded(Path(found["venv"]), str(found["project"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _give_to_the_folders_owner(path: Path) -> None:
    """Under sudo the state folder is the caller's (EDGE 84), and what is in it must stay theirs to read and to replace."""
    owner = path.parents[1].stat()
    if os.geteuid() == 0 and owner.st_uid:
        for one in (path.parent, path):
            os.chown(one, owner.st_uid, owner.st_gid)
