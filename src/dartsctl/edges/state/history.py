"""The history: what dartsctl has stopped or changed, one JSON line each."""

from __future__ import annotations

import errno
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dartsctl.edges.state.folder import open_state, parse_json, write_errors_as
from dartsctl.errors import DartsctlError
from dartsctl.records import fields, record
from dartsctl.system.file_lock import lock
from dartsctl.system.users import acting_user
from dartsctl.text.masker import Masker
from dartsctl.text.phrases import shell_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from dartsctl.system.files import Folder

KEPT = 1000
"""Lines that are kept; older ones are removed when the file has twice as many."""
LOCK_DEADLINE = 2.0
"""Seconds to wait for another writer."""
TAIL = 4 << 20
"""Bytes at the end of the file that are read; older lines are removed."""

_FILE = "history.jsonl"
_LOCK = "history.lock"
_LATEST = 1 << 40  # Unix time, seconds: the limit of the calendar


@record
class HistoryEntry:
    """An action. `when` is Unix time in seconds, `by` the user; `details` contain no secrets."""

    when: float
    action: str
    what: str
    why: str
    by: str
    details: Mapping[str, Any]


class History:
    """The history in `folder` (the state folder). Nothing is written before the first `add`.

    Several writers wait for each other. An unwritable history must not keep a conflict from being
    resolved: `warn` is called once instead.
    """

    def __init__(
        self,
        folder: Path,
        *,
        warn: Callable[[str], None] = lambda _sentence: None,
        masker: Masker | None = None,
    ) -> None:
        self._folder = folder
        self._masker = masker or Masker()
        self._warn = warn
        self._failed = False

    def add(self, action: str, what: str, why: str, **details: Any) -> None:
        """Append an entry. Never raises."""
        import json

        if self._failed:
            return
        entry = {
            "when": time.time(),
            "action": action,
            "what": what,
            "why": why,
            "by": acting_user(),
            "details": details,
        }
        line = json.dumps(self._masker.document(entry), default=str).encode()
        try:
            with (
                write_errors_as(f"cannot write {self._folder / _FILE}"),
                open_state(self._folder, make=True) as state,
                _locked(state),
            ):
                _add_line(state, line)
        except DartsctlError as error:
            self._failed = True
            self._warn(f"the history is incomplete: {error.message}")

    def read(self) -> tuple[HistoryEntry, ...]:
        """Return the last entries, oldest first; broken lines are skipped.

        Raises DartsctlError for an unreadable file.
        """
        try:
            with open_state(self._folder) as state:
                descriptor = state.open(_FILE)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            file = self._folder / _FILE
            raise DartsctlError(
                f"cannot read {file}: {error.strerror}", hint=shell_command("ls", "-l", file)
            ) from error
        try:
            lines = _last_lines(descriptor)[-2 * KEPT :]
        finally:
            os.close(descriptor)
        return tuple(entry for entry in map(_entry, lines) if entry)


@contextmanager
def _locked(state: Folder) -> Iterator[None]:
    """Keep other writers out. Raises LockTimeout, UnsafeFile, OSError."""
    descriptor = state.open_or_create(_LOCK)
    try:
        lock(descriptor, state.path / _LOCK, within=LOCK_DEADLINE)
        yield
    finally:
        os.close(descriptor)


def _add_line(state: Folder, line: bytes) -> None:
    """Append a line while the lock is held."""
    descriptor = state.open_or_create(_FILE)
    try:
        _append(descriptor, line)
        lines = _last_lines(descriptor)
        is_long = len(lines) > 2 * KEPT or os.fstat(descriptor).st_size > TAIL
    finally:
        os.close(descriptor)
    if is_long:
        state.replace(_FILE, b"".join(kept + b"\n" for kept in lines[-KEPT:]))


def _append(descriptor: int, line: bytes) -> None:
    """Append the whole line or nothing.

    A line that a crash has truncated is ended first: it would spoil this one.
    """
    size = os.lseek(descriptor, 0, os.SEEK_END)
    data = line + b"\n"
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        data = b"\n" + data
    if os.write(descriptor, data) < len(data):
        os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _last_lines(descriptor: int) -> list[bytes]:
    """Return the lines in the last `TAIL` bytes that are complete and not empty."""
    start = max(os.fstat(descriptor).st_size - TAIL, 0)
    lines = os.pread(descriptor, TAIL, start).split(b"\n")
    if start:  # the first one begins before the bytes that were read
        lines = lines[1:]
    return [line for line in lines if line.strip()]


def _entry(line: bytes) -> HistoryEntry | None:
    try:
        document = parse_json(line)
    except ValueError:
        return None
    if not isinstance(document, dict) or document.keys() != fields(HistoryEntry).keys():
        return None
    entry = HistoryEntry(**document)
    if not isinstance(entry.when, int | float) or not 0 <= entry.when < _LATEST:
        return None
    texts = (entry.action, entry.what, entry.why, entry.by)
    if not isinstance(entry.details, dict) or not all(isinstance(text, str) for text in texts):
        return None
    return entry
