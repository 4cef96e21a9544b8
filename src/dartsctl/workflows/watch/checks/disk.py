"""The disk of the engine, where it is a disk of this host."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dartsctl.alerts.problems.of_disk import DiskUse, disk_problem

if TYPE_CHECKING:
    from dartsctl.alerts.problem import Kind, Problem
    from dartsctl.workflows.watch.checks.base import Examined

COVERS: frozenset[Kind] = frozenset(("disk",))


def check(examined: Examined) -> list[Problem] | None:
    """Return the problem of the disk, None where it cannot be seen from here."""
    control = examined.deps.engine().control()
    if control is None or not examined.facts.engine.is_here:
        return None
    folder = control.data_folder()
    disk = _use_of(folder) if folder else None
    if disk is None:
        return None
    problem = disk_problem(disk, examined.rules.disk_percent, was_full=examined.was_full)
    return [problem] if problem else []


def _use_of(folder: str) -> DiskUse | None:
    """Return how full a folder's file system is, None where it is not visible."""
    try:
        usage = os.statvfs(folder)
    except OSError:
        return None
    return DiskUse(
        folder,
        used=(usage.f_blocks - usage.f_bfree) * usage.f_frsize,
        free=usage.f_bavail * usage.f_frsize,
        used_inodes=usage.f_files - usage.f_ffree,
        free_inodes=usage.f_favail,
    )
