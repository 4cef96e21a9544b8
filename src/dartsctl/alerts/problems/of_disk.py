"""The disk of the engine is nearly full: bytes, or inodes."""

from __future__ import annotations

from dartsctl.alerts.problem import Problem, Subject
from dartsctl.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

CAUSE = "disk-full"
_LEAST_FREE = 1 << 30
"""Bytes."""
_CLOSING_PERCENT = 2
"""Points below the threshold at which it has recovered."""
_CLOSING_FREE = _LEAST_FREE * 11 // 10


@record
class DiskUse:
    """The file system of a folder. Sizes are in bytes, without what only root may use."""

    folder: str
    used: int
    free: int
    used_inodes: int = 0
    free_inodes: int = 0
    """0 of both: the file system counts none."""


def disk_problem(disk: DiskUse, percent: int, *, was_full: bool) -> Problem | None:
    """Return the problem of the engine's disk, None if it has room.

    `percent`: from how much on it is full. `was_full`: it is a problem until there is some more
    room.
    """
    lines = list(_full(disk, percent, was_full=was_full))
    if not lines:
        return None
    return Problem(
        Subject("disk"),
        CAUSE,
        f"the disk of the engine is nearly full: {lines[0]}",
        "docker system df",
        severity="warning",
        evidence=(f"{disk.folder}: {', '.join(lines)}",),
        data={"folder": disk.folder, "free": disk.free},
    )


def _full(disk: DiskUse, percent: int, *, was_full: bool) -> Iterator[str]:
    """Yield what is nearly full: `94 % of 20.0 GB used, 1.2 GB free`."""
    least = _LEAST_FREE
    if was_full:
        percent -= _CLOSING_PERCENT
        least = _CLOSING_FREE
    used, size = _percent(disk.used, disk.free), disk.used + disk.free
    if used >= percent or disk.free < least:
        yield f"{used} % of {size / 1e9:.1f} GB used, {disk.free / 1e9:.1f} GB free"
    inodes = _percent(disk.used_inodes, disk.free_inodes)
    if inodes >= percent:
        yield f"{inodes} % of the inodes used"


def _percent(used: int, free: int) -> int:
    """Return what is used in percent, rounded down: 100 is really full."""
    return used * 100 // max(used + free, 1)
