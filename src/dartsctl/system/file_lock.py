"""Locks on open files (flock). The kernel releases them with the last descriptor."""

from __future__ import annotations

import fcntl
import time

from dartsctl.errors import TimedOut
from dartsctl.text.phrases import shell_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PAUSE = 0.01  # seconds


class LockTimeout(TimedOut):
    """Another process held a lock until the deadline."""


def lock(
    descriptor: int,
    path: Path,
    *,
    within: float,
    kind: int = fcntl.LOCK_EX,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Lock an open file (flock) until it is closed. `within`: seconds to wait for the lock.

    Raises LockTimeout, OSError.
    """
    deadline = clock() + within
    while not try_lock(descriptor, kind):
        if clock() >= deadline:
            raise LockTimeout(
                f"{path} is locked by another process", hint=shell_command("fuser", "-v", path)
            )
        sleep(_PAUSE)


def try_lock(descriptor: int, kind: int) -> bool:
    """Lock an open file (flock); return False if another process has it. Raises OSError."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
