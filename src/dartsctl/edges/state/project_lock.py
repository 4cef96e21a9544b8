"""One dartsctl at a time changes a Compose project: a lock (flock) per project.

The kernel releases the lock when its holder ends, for whatever reason. The file is never removed;
it says what its last holder does or did (edges/state/project_work.py).
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress

from dartsctl.edges.state import project_work
from dartsctl.edges.state.folder import open_shared, open_shared_file, write_errors_as
from dartsctl.edges.state.lock_owner import holds_lock
from dartsctl.errors import TimedOut
from dartsctl.records import record
from dartsctl.system.file_lock import try_lock
from dartsctl.text.phrases import shell_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_PAUSE = 0.1  # seconds between two tries


@record(frozen=False)
class WorkResult:
    """How the work under a lock ended. An exception is a failure too."""

    succeeded: bool = True
    has_waited: bool = False
    """Whether somebody else had the lock before: what was known of the project may be old."""


@contextmanager
def project_lock(
    folder: Path,
    project: str,
    *,
    within: float,
    waiting: Callable[[str], None],
    verb: str = "",
    services: tuple[str, ...] = (),
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[WorkResult]:
    """Hold the lock of `project` among all users of the state folder `folder`.

    Waits at most `within` seconds; `waiting` is called once with the holder ("another dartsctl
    (pid 7)"). `verb` and `services` are recorded for a watch. Raises TimedOut, UnsafeFile,
    DartsctlError where the file cannot be created.
    """
    with (
        write_errors_as(f"cannot lock the project {project}"),
        open_shared(folder, project_work.FOLDER, make=True) as projects,
    ):
        name = project_work.lock_name(project)
        descriptor = open_shared_file(projects, name)
        path = projects.path / name
    try:
        has_waited = _acquire(
            descriptor, path, project, within=within, waiting=waiting, clock=clock
        )
        with _recorded(descriptor, verb, services) as result:
            result.has_waited = has_waited
            yield result
    finally:
        os.close(descriptor)


@contextmanager
def _recorded(descriptor: int, verb: str, services: tuple[str, ...]) -> Iterator[WorkResult]:
    """Record the work while it goes on, and how it ended."""
    work = None
    result = WorkResult()
    with suppress(OSError):  # a full disk; the lock is held all the same
        os.truncate(descriptor, 0)
        work = project_work.begin(descriptor, verb, services, time.time())
    try:
        yield result
    except BaseException:
        result.succeeded = False
        raise
    finally:
        if work:
            with suppress(OSError):
                project_work.end(descriptor, work, time.time(), succeeded=result.succeeded)


def _acquire(
    descriptor: int,
    path: Path,
    project: str,
    *,
    within: float,
    waiting: Callable[[str], None],
    clock: Callable[[], float],
) -> bool:
    """Return whether somebody else had the lock."""
    if try_lock(descriptor, fcntl.LOCK_EX):
        return False
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
    return True


def _holder(descriptor: int, path: Path) -> str:
    """Return who holds the lock, in words; the pid only if the kernel confirms it."""
    work = project_work.recorded(descriptor)
    if work and holds_lock(work.pid, path, os.fstat(descriptor)) is not False:
        return f"another dartsctl (pid {work.pid})"
    return "another dartsctl"
