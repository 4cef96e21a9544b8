"""What dartsctl has stopped or changed: one JSON line each, in the state folder, for people who wonder afterwards."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dartsctl.edges.state.folder import open_state, parse_json, writing
from dartsctl.errors import DartsctlError
from dartsctl.system.files import Folder, lock
from dartsctl.system.users import user_name
from dartsctl.text.masker import Masker
from dartsctl.text.phrases import shell_command

KEPT = 1000
"""Lines; older ones go when the file has twice as many."""
LOCK_DEADLINE = 2.0
"""Seconds to wait for another writer."""
TAIL = 4 << 20
"""Bytes at the end of the file that are looked at; older lines go."""

_FILE = "history.jsonl"
_LOCK = "history.lock"
_LATEST = 1 << 40  # Unix time, seconds: what the calendar takes


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
    """The record in `folder` (the state folder). Nothing is written before the first `add`; several writers wait for each other.

    A history that cannot be written must not keep a conflict from being resolved: then `warn` is called, once.
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
        """Append one entry. Never raises."""
        import json

        if self._failed:
            return
        entry = {
            "when": time.time(),
            "action": action,
            "what": what,
            "why": why,
            "by": _user(),
            "details": details,
        }
        line = json.dumps(self._masker.document(entry), default=str).encode()
        try:
            with (
                writing(f"{self._folder / _FILE} cannot be written"),
                open_state(self._folder, make=True) as state,
                _locked(state),
            ):
                _add_line(state, line)
        except DartsctlError as error:
            self._failed = True
            self._warn(f"the history is incomplete: {error.message}")

    def read(self) -> tuple[Entry, ...]:
        """The last entries, oldest first; what is no entry is left out. Raises DartsctlError where the file cannot be read."""
        try:
            with open_state(self._folder) as state:
                descriptor = state.open(_FILE)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            file = self._folder / _FILE
            raise DartsctlError(
                f"{file} cannot be read: {error.strerror}", hint=shell_command("ls", "-l", file)
            ) from error
        try:
            return tuple(
                entry for line in _last_lines(descriptor)[-2 * KEPT :] if (entry := _entry(line))
            )
        finally:
            os.close(descriptor)


@contextmanager
def _locked(state: Folder) -> Iterator[None]:
    """Within it nobody else writes. Raises LockTimeout, UnsafeFile, OSError."""
    descriptor = state.open_or_create(_LOCK)
    try:
        lock(descriptor, state.path / _LOCK, within=LOCK_DEADLINE)
        yield
    finally:
        os.close(descriptor)


def _add_line(state: Folder, line: bytes) -> None:
    """Under the lock."""
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
    """Append the whole line or nothing. A line that was cut by a crash is ended first, so that it does not spoil this one."""
    size = os.lseek(descriptor, 0, os.SEEK_END)
    is_cut = bool(size) and os.pread(descriptor, 1, size - 1) != b"\n"
    data = (b"\n" if is_cut else b"") + line + b"\n"
    if os.write(descriptor, data) < len(data):
        os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _last_lines(descriptor: int) -> list[bytes]:
    """The lines that are not empty in the last `TAIL` bytes, without one that begins before them."""
    start = max(os.fstat(descriptor).st_size - TAIL, 0)
    lines = os.pread(descriptor, TAIL, start).split(b"\n")
    return [line for line in lines[1 if start else 0 :] if line.strip()]


def _user() -> str:
    """Who did it: under sudo, who called it."""
    if os.geteuid() == 0 and (caller := os.environ.get("SUDO_USER")):
        return caller
    return user_name(os.geteuid())


def _entry(line: bytes) -> Entry | None:
    try:
        document = parse_json(line)
    except ValueError:
        return None
    if not isinstance(document, dict) or document.keys() != Entry.__dataclass_fields__.keys():
        return None
    entry = Entry(**document)
    texts = (entry.action, entry.what, entry.why, entry.by)
    is_time = isinstance(entry.when, int | float) and 0 <= entry.when < _LATEST
    return (
        entry
        if is_time
        and isinstance(entry.details, dict)
        and all(isinstance(text, str) for text in texts)
        else None
    )
