"""Which virtual environments of this machine have a guard: in the state folder, one small file each, so that no lock is needed."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dartsctl.edges.state.folder import open_state, opened, parse_json, writing
from dartsctl.errors import DartsctlError
from dartsctl.system.files import EVERYBODY, Folder, ForeignFile, UnsafeFile
from dartsctl.system.users import trusted_users, user_name

_FOLDER = "guards"
_LARGEST = 64 << 10  # bytes of a record


@dataclass(frozen=True, slots=True)
class Guarded:
    """A virtual environment into which a guard was installed, and the Compose project of the production whose ports it refuses."""

    venv: Path
    project: str


@dataclass(frozen=True, slots=True)
class ForeignRecord:
    """What another user, `user`, has written into the shared book: to be shown, and nothing else."""

    venv: str
    user: str


class GuardBook:
    """The book in `folder` (the state folder). Nothing is written before the first `add`."""

    def __init__(self, folder: Path) -> None:
        self._state = folder

    def add(self, venv: Path, project: str) -> None:
        """Remember it. Raises DartsctlError where that cannot be written."""
        record = json.dumps({"venv": str(venv), "project": project}).encode()
        with (
            writing(f"the guard cannot be remembered in {self._state / _FOLDER}"),
            opened(self._state, _FOLDER, make=True) as folder,
        ):
            folder.replace(_name(venv), record)

    def forget(self, venv: Path) -> None:
        """Its guard has gone. What cannot be removed now is found to be gone the next time again."""
        with suppress(OSError, DartsctlError), opened(self._state, _FOLDER) as folder:
            folder.remove(_name(venv))

    def read(self) -> tuple[Guarded, ...]:
        """All of them, by path; what cannot be read, or is another user's, is left out. Raises UnsafeFile for what is no folder."""
        try:
            with opened(self._state, _FOLDER) as folder:
                records = [
                    record
                    for name in folder.names()
                    if name.endswith(".json") and (record := _guarded(folder, name))
                ]
        except (OSError, ForeignFile):
            return ()
        return tuple(sorted(records, key=lambda record: record.venv))

    def of_others(self) -> tuple[ForeignRecord, ...]:
        """The records of other users, in a state folder that is shared, as far as this user may read them."""
        try:
            with (
                open_state(self._state, shared=True) as state,
                state.subfolder(_FOLDER, owners=EVERYBODY) as folder,
            ):
                records = [
                    record
                    for name in folder.names()
                    if name.endswith(".json") and (record := _foreign(folder, name))
                ]
        except (OSError, UnsafeFile):
            return ()
        return tuple(sorted(records, key=lambda record: record.venv))


def _name(venv: Path) -> str:
    import hashlib

    return hashlib.sha256(os.fsencode(venv)).hexdigest()[:16] + ".json"


def _foreign(folder: Folder, name: str) -> ForeignRecord | None:
    try:
        owner = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False).st_uid
    except OSError:
        return None
    record = _guarded(folder, name, owners=(owner,)) if owner not in trusted_users() else None
    return ForeignRecord(str(record.venv), user_name(owner)) if record else None


def _guarded(folder: Folder, name: str, *, owners: Collection[int] | None = None) -> Guarded | None:
    try:
        document = parse_json(folder.read(name, limit=_LARGEST, owners=owners))
    except (OSError, ValueError, UnsafeFile):
        return None
    if not isinstance(document, dict):
        return None
    venv, project = document.get("venv"), document.get("project")
    if (
        not isinstance(venv, str)
        or not isinstance(project, str)
        or not venv.startswith("/")
        or "\0" in venv
    ):
        return None
    return Guarded(Path(venv), project)
