"""One dartsctl at a time changes a Compose project: a lock (flock) per project.

The kernel releases the lock when its holder ends, for whatever reason. The file is never removed;
it contains the pid of the last holder.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from dartsctl.edges.state.folder import open_shared, open_shared_file, write_errors_as
from dartsctl.edges.state.lock_owner import holds_lock
from dartsctl.errors import TimedOut
from dartsctl.system.file_lock import try_lock
from dartsctl.text.phrases import shell_command

_PAUSE = 0.1  # seconds between two tries
_LONGEST_PID = 20  # bytes


@contextmanager
def project_lock(
    folder: Path,
    project: str,
    *,
    within: float,
    waiting: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[None]:
    """Hold the lock of `project` among all users of the state folder `folder`.

    Waits at most `within` seconds; `waiting` is called once with the holder ("another dartsctl
    (pid 7)"). Raises TimedOut, UnsafeFile, DartsctlError where the file cannot be created.
    """
    with (
        write_errors_as(f"cannot lock the project {project}"),
        open_shared(folder, "projects", make=True) as projects,
    ):
        name = f"{quote(project, safe='')}.lock"
        descriptor = open_shared_file(projects, name)
        path = projects.path / name
    try:
        _acquire(descriptor, path, project, within=within, waiting=waiting, clock=clock)
        with suppress(OSError):  # a full disk; the lock is held all the same
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(
    descriptor: int,
    path: Path,
    project: str,
    *,
    within: float,
    waiting: Callable[[str], None],
    clock: Callable[[], float],
) -> None:
    if try_lock(descriptor, fcntl.LOCK_EX):
        return
    waiting(_holder(descriptor, path))
    deadline = clock() + within
    while not try_lock(descriptor, fcntl.LOCK_EX):
        if clock() >= deadline:
            raise TimedOut(
                f"{_holder(descriptor, path)} has been working on {project} "
                f"for more than {within:.0f} s",
                hint=shell_command("docker", "compose", "-p", project, "ps", "-a"),
            )
        time.sleep(_PAUSE)


def _holder(descriptor: int, path: Path) -> str:
    """Return who holds the lock, in words; the pid only if the kernel confirms it."""
    text = os.pread(descriptor, _LONGEST_PID, 0).decode("ascii", errors="replace")
    if text.isascii() and text.isdecimal():
        pid = int(text)
        if pid and holds_lock(pid, path, os.fstat(descriptor)) is not False:
            return f"another dartsctl (pid {pid})"
    return "another dartsctl"
