"""One dartsctl at a time changes a Compose project: a lock (flock) per project in the state folder.

The kernel frees it when its holder ends, however that ends. The file is never removed; it holds the pid of the last holder.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from dartsctl.edges.state.folder import open_shared, open_shared_file, writing
from dartsctl.edges.state.lock_owner import holds_lock
from dartsctl.errors import TimedOut
from dartsctl.system.files import try_lock
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
    """Within it nobody else who uses the state folder `folder` is in here for `project`.

    Waits `within` seconds at most; `waiting` is told once who has the lock ("another dartsctl (pid 7)"). Raises TimedOut,
    UnsafeFile, DartsctlError where the lock file cannot be made.
    """
    with (
        writing(f"cannot lock the project {project}"),
        open_shared(folder, "projects", make=True) as projects,
    ):
        name = f"{quote(project, safe='')}.lock"
        descriptor = open_shared_file(projects, name)
        path = projects.path / name
    try:
        _acquire(descriptor, path, project, within=within, waiting=waiting, clock=clock)
        with suppress(OSError):  # a full disk: the lock holds all the same
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
                f"{_holder(descriptor, path)} has been working on {project} for more than {within:.0f} s",
                hint=shell_command("docker", "compose", "-p", project, "ps", "-a"),
            )
        time.sleep(_PAUSE)


def _holder(descriptor: int, path: Path) -> str:
    """Who has the lock, in words; without a pid that the kernel does not confirm."""
    text = os.pread(descriptor, _LONGEST_PID, 0).decode("ascii", errors="replace")
    pid = int(text) if text.isascii() and text.isdecimal() else 0
    known = pid and holds_lock(pid, path, os.fstat(descriptor)) is not False
    return f"another dartsctl (pid {pid})" if known else "another dartsctl"
