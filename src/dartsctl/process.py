"""Process: one process of this host, as far as this user may see it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Process:
    """Fields are None (or empty) where the kernel does not show them to this user.

    `birth` is an opaque mark of the process' start: the same pid with another birth is another process (EDGE 24). It is no wall-clock
    time, because a clock that is set would change that; `started` (Unix time, seconds) is for people.
    """

    pid: int
    name: str
    birth: int
    command: tuple[str, ...] = ()
    executable: str | None = None
    user: str | None = None
    cwd: str | None = None
    started: float | None = None
    status: str = ""
    """psutil's word: running, sleeping, stopped, zombie ..."""
    parents: tuple[tuple[int, str], ...] = ()
    """pid and name, the parent first, pid 1 last."""
    children: tuple[int, ...] = ()
    """Direct children's pids."""
