"""What a watch knows over restarts: its episodes and undelivered messages, in one file.

Both are replaced together, so a watch that is killed neither repeats nor loses a message. Nothing
here stops a watch: without a file it goes on in memory, and says so once.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from dartsctl.alerts import outbox as outboxes
from dartsctl.alerts.outbox import Outbox
from dartsctl.alerts.state import State
from dartsctl.alerts.state_document import read_state, state_document
from dartsctl.edges.state.watch_folder import open_watch, watch_path
from dartsctl.errors import DartsctlError
from dartsctl.records import field, record
from dartsctl.text.strict_json import Source, read_json

if TYPE_CHECKING:
    from pathlib import Path

    from dartsctl.system.files import Folder

VERSION = 1
_FILE = "state.json"
_LARGEST = 64 << 20
"""Bytes that are read; alerts/bounds.py keeps the state far below."""
_MOST_ASIDE = 20
"""Unreadable files that are kept."""


@record
class Saved:
    """What the last watch left, and what there is to say about its file."""

    state: State = field(default_factory=State)
    outbox: Outbox = field(default_factory=Outbox)
    note: str = ""


class WatchState:
    """The file of one project's watch. Only that watch writes it: it holds the lock."""

    def __init__(self, state: Path, project: str) -> None:
        self._state = state
        self._project = project
        self._path = watch_path(state, project) / _FILE
        self._fails = False
        self._latest = Saved()

    def load(self) -> Saved:
        """Return what was saved. Never raises: an unusable file is set aside.

        What could not be written is still in memory.
        """
        if self._fails:
            return self._latest
        try:
            with open_watch(self._state, self._project) as folder:
                return self._load(folder)
        except (FileNotFoundError, NotADirectoryError):
            return Saved()
        except (OSError, DartsctlError) as error:
            return Saved(note=f"begins without the alerts of the last watch: {_reason(error)}")

    def peek(self) -> Saved:
        """Return what was saved, for another process than the watch. Never raises nor writes."""
        try:
            with open_watch(self._state, self._project) as folder:
                return self._read(folder)
        except (FileNotFoundError, NotADirectoryError):
            return Saved()
        except (OSError, DartsctlError) as error:
            return Saved(note=f"the alerts of the watch cannot be read: {_reason(error)}")

    def save(self, state: State, outbox: Outbox) -> str:
        """Replace the file. Never raises.

        Return what there is to say: once that it cannot be written, and once that it can again.
        """
        document = {
            "version": VERSION,
            "state": state_document(state),
            "outbox": outboxes.as_document(outbox),
        }
        text = json.dumps(document, ensure_ascii=False, allow_nan=False)
        failed = self._fails
        try:
            with open_watch(self._state, self._project, make=True) as folder:
                folder.replace(_FILE, text.encode(errors="replace"))
        except (OSError, DartsctlError) as error:
            self._fails, self._latest = True, Saved(state, outbox)
            if failed:
                return ""
            return (
                f"cannot save the alerts in {self._path}: {_reason(error)}; "
                "the watch goes on, and a restart would repeat them"
            )
        self._fails = False
        if failed:
            return f"saves the alerts in {self._path} again"
        return ""

    @property
    def fails(self) -> bool:
        """Whether the latest state is only in memory."""
        return self._fails

    def _load(self, folder: Folder) -> Saved:
        if not folder.exists(_FILE):
            return Saved()
        try:
            return self._read(folder)
        except FileNotFoundError:
            return Saved()
        except (OSError, DartsctlError) as error:
            aside = _set_aside(folder)
            kept = f"; the file is kept as {aside}"
            if not aside:
                kept = ""
            reason = _reason(error)
            return Saved(note=f"begins without the alerts of the last watch: {reason}{kept}")

    def _read(self, folder: Folder) -> Saved:
        """Return what the file says. Raises DartsctlError, OSError."""
        cursor = read_json(folder.read(_FILE, limit=_LARGEST), Source(str(self._path)))
        version = cursor.at("version").integer()
        if version != VERSION:
            raise cursor.at("version").mistake(f"expected {VERSION}, got {version}")
        outbox = outboxes.from_document(cursor.at("outbox").value, str(self._path))
        return Saved(read_state(cursor.at("state")), outbox)


def _set_aside(folder: Folder) -> str:
    """Rename the file, over nothing that was kept before; return its new name, or nothing."""
    for number in range(1, _MOST_ASIDE + 1):
        name = f"{_FILE}.{number}"
        if number == _MOST_ASIDE or not folder.exists(name):
            with suppress(OSError):
                folder.rename(_FILE, name)
                return name
    return ""


def _reason(error: OSError | DartsctlError) -> str:
    if isinstance(error, DartsctlError):
        return error.message
    return error.strerror or str(error)
