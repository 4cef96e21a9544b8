"""What dartsctl has stopped or changed: one JSON line each, in the state folder, for people who wonder afterwards."""

from __future__ import annotations

import fcntl
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
    """The record in `folder` (the state folder). Nothing is written before the first `add`; several writers wait for each other."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "history.jsonl"

    def add(self, action: str, what: str, why: str, **details: Any) -> None:
        """Append one entry. A history that cannot be written must not keep a conflict from being resolved: then there is none."""
        entry = {"when": time.time(), "action": action, "what": what, "why": why, "by": _user(), "details": details}
        line = json.dumps(entry, default=str)  # ASCII: a command line may hold bytes that are no text
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._append(line)
                _give_to_the_folders_owner(self._path.with_suffix(".lock"), self._path)
        except OSError:
            return

    def read(self) -> tuple[Entry, ...]:
        """Everything that is remembered, oldest first; lines that were cut by a full disk are left out."""
        return tuple(entry for line in self._lines() if (entry := _entry(line)))

    def _lines(self) -> list[str]:
        try:
            return self._path.read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:
            return []

    def _append(self, line: str) -> None:
        """Under the lock. A line that a full disk cut is ended first, so that it does not spoil this one."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            cut = bool(size) and os.pread(descriptor, 1, size - 1) != b"\n"
            file.write(("\n" if cut else "").encode() + f"{line}\n".encode())
        lines = self._lines()
        if len(lines) > 2 * KEPT:
            fresh = self._path.with_suffix(f".{os.getpid()}")
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
                file.writelines(f"{one}\n" for one in lines[-KEPT:])
            fresh.replace(self._path)


def _user() -> str:
    """Who did it: under sudo, who called it; else the name of our user id, or the number where it has none."""
    import pwd

    if os.geteuid() == 0 and (caller := os.environ.get("SUDO_USER")):
        return caller
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _give_to_the_folders_owner(*paths: Path) -> None:
    """Under sudo the state folder is the caller's (EDGE 84), and what is in it must stay theirs to read and to append to."""
    owner = paths[0].parent.stat()
    if os.geteuid() == 0 and owner.st_uid:
        for path in paths:
            os.chown(path, owner.st_uid, owner.st_gid)


def _entry(line: str) -> Entry | None:
    try:
        entry = Entry(**json.loads(line))
    except (ValueError, TypeError):
        return None
    texts = (entry.action, entry.what, entry.why, entry.by)
    return entry if isinstance(entry.when, int | float) and all(isinstance(text, str) for text in texts) else None
