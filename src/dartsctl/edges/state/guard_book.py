"""The virtual environments of this machine that have a guard.

Each has a small file of its own, so that no lock is needed.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from dartsctl.edges.state.folder import open_private, open_state, parse_json, write_errors_as
from dartsctl.errors import DartsctlError
from dartsctl.records import record
from dartsctl.system.files import EVERYBODY, Folder, ForeignFile, UnsafeFile
from dartsctl.system.users import trusted_users, user_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

_FOLDER = "guards"
_LARGEST = 64 << 10  # bytes of a record


@record
class GuardRecord:
    """A virtual environment with a guard, and the Compose project whose ports it refuses."""

    venv: Path
    project: str


@record
class ForeignGuardRecord:
    """A record that another user, `user`, has written into the shared book; it is only shown."""

    venv: str
    user: str


class GuardBook:
    """The book in `folder` (the state folder). Nothing is written before the first `add`."""

    def __init__(self, folder: Path) -> None:
        self._state = folder

    def add(self, venv: Path, project: str) -> None:
        """Add a record. Raises DartsctlError where it cannot be written."""
        record = json.dumps({"venv": str(venv), "project": project}).encode()
        with (
            write_errors_as(f"cannot record the guard in {self._state / _FOLDER}"),
            open_private(self._state, _FOLDER, make=True) as folder,
        ):
            folder.replace(_name(venv), record)

    def forget(self, venv: Path) -> None:
        """Remove the record of a guard that is gone. An error is ignored: it is tried again."""
        with suppress(OSError, DartsctlError), open_private(self._state, _FOLDER) as folder:
            folder.remove(_name(venv))

    def read(self) -> tuple[GuardRecord, ...]:
        """Return all readable records of trusted users, by path.

        Raises UnsafeFile where the book is not a folder.
        """
        try:
            with open_private(self._state, _FOLDER) as folder:
                records = [_record(folder, name) for name in _names(folder)]
        except (OSError, ForeignFile):
            return ()
        return tuple(sorted(filter(None, records), key=lambda record: record.venv))

    def of_others(self) -> tuple[ForeignGuardRecord, ...]:
        """Return the readable records of other users in a shared state folder."""
        try:
            with (
                open_state(self._state, shared=True) as state,
                state.subfolder(_FOLDER, owners=EVERYBODY) as folder,
            ):
                records = [_foreign_record(folder, name) for name in _names(folder)]
        except (OSError, UnsafeFile):
            return ()
        return tuple(sorted(filter(None, records), key=lambda record: record.venv))


def _name(venv: Path) -> str:
    from dartsctl.system.digest import sha256

    return sha256(os.fsencode(venv))[:16] + ".json"


def _names(folder: Folder) -> list[str]:
    return [name for name in folder.names() if name.endswith(".json")]


def _foreign_record(folder: Folder, name: str) -> ForeignGuardRecord | None:
    try:
        status = folder.stat(name)
    except OSError:
        return None
    if status is None or status.st_uid in trusted_users():
        return None
    record = _record(folder, name, owners=(status.st_uid,))
    if record is None:
        return None
    return ForeignGuardRecord(str(record.venv), user_name(status.st_uid))


def _record(
    folder: Folder, name: str, *, owners: Collection[int] | None = None
) -> GuardRecord | None:
    try:
        document = parse_json(folder.read(name, limit=_LARGEST, owners=owners))
    except (OSError, ValueError, UnsafeFile):
        return None
    if not isinstance(document, dict):
        return None
    venv, project = document.get("venv"), document.get("project")
    if not isinstance(venv, str) or not isinstance(project, str):
        return None
    if not venv.startswith("/") or "\0" in venv:
        return None
    return GuardRecord(Path(venv), project)
