"""One watch for each environment: a lock (flock) in the folder of the watch.

The kernel releases it when the watch ends, for whatever reason. The file says who holds it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from dartsctl.edges.state.folder import parse_json, write_errors_as
from dartsctl.edges.state.lock_owner import holds_lock
from dartsctl.edges.state.watch_folder import open_watch, watch_path
from dartsctl.errors import Refused
from dartsctl.records import record
from dartsctl.system.file_lock import try_lock
from dartsctl.system.files import Folder, UnsafeFile
from dartsctl.text.phrases import local_time, shell_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

_FILE = "lock"
_LARGEST = 4096  # bytes
_LATEST = 1 << 40  # Unix time, seconds


@record
class Watching:
    """The watch that runs. `pid` is 0 and `since` None where the record does not say."""

    pid: int = 0
    since: float | None = None

    @property
    def words(self) -> str:
        """Who runs: `pid 7, since 2026-11-26T20:15:00+01:00`; empty where it is not known."""
        parts: list[str] = []
        if self.pid:
            parts.append(f"pid {self.pid}")
        if self.since is not None:
            parts.append(f"since {local_time(self.since)}")
        return ", ".join(parts)


@contextmanager
def watch_lock(state: Path, project: str, *, environment: str, now: float) -> Iterator[None]:
    """Be the only watch of `project`. Raises Refused where one runs, DartsctlError."""
    with (
        write_errors_as(f"cannot lock the watch of {project}"),
        open_watch(state, project, make=True) as folder,
    ):
        descriptor = folder.open_or_create(_FILE)
    try:
        if not try_lock(descriptor, fcntl.LOCK_EX):
            raise _refused(descriptor, watch_path(state, project) / _FILE, project, environment)
        with suppress(OSError):  # a full disk; the lock is held all the same
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "since": now}).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def running_watch(state: Path, project: str) -> Watching | None:
    """Return the watch that runs; None if none does. The lock is never taken."""
    try:
        with open_watch(state, project) as folder:
            return _running(folder)
    except (OSError, UnsafeFile):
        return None


def _running(folder: Folder) -> Watching | None:
    descriptor = folder.open(_FILE)
    try:
        watching = _record(descriptor)
        path, status = folder.path / _FILE, os.fstat(descriptor)
        if not watching.pid or not holds_lock(watching.pid, path, status):
            return None
        return watching
    finally:
        os.close(descriptor)


def _refused(descriptor: int, path: Path, project: str, environment: str) -> Refused:
    watching = _record(descriptor)
    if holds_lock(watching.pid, path, os.fstat(descriptor)) is False:
        watching = Watching()  # the record is older than the lock
    who = watching.words
    if who:
        who = f" ({who})"
    return Refused(
        f"another watch of {project} runs already{who}",
        hint=shell_command("dartsctl", "watch", "status", "--env", environment),
    )


def _record(descriptor: int) -> Watching:
    try:
        document = parse_json(os.pread(descriptor, _LARGEST, 0))
    except (OSError, ValueError):
        return Watching()
    if not isinstance(document, Mapping):
        return Watching()
    pid, since = document.get("pid"), document.get("since")
    if isinstance(pid, bool) or not isinstance(pid, int) or not 1 < pid < 1 << 31:
        pid = 0
    if isinstance(since, bool) or not isinstance(since, int | float) or not 0 <= since < _LATEST:
        since = None
    return Watching(pid, since)
