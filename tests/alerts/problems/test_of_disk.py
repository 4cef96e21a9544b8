"""When the engine's disk counts as nearly full."""

from __future__ import annotations

import pytest

from dartsctl.alerts.problems.of_disk import DiskUse, disk_problem

GB = 10**9
FOLDER = "/var/lib/docker"


@pytest.mark.parametrize(
    ("used", "free", "is_full"),
    [(89, 11, False), (90, 10, True), (100, 0, True), (1, 2, False), (0.5, 0.9, True)],
)
def test_full_by_percent_or_by_what_is_free(used: float, free: float, is_full: bool) -> None:
    disk = DiskUse(FOLDER, int(used * GB), int(free * GB))
    assert bool(disk_problem(disk, 90, was_full=False)) is is_full


def test_the_sentence_says_how_full() -> None:
    problem = disk_problem(DiskUse(FOLDER, 94 * GB, 6 * GB), 90, was_full=False)
    assert problem is not None
    assert problem.sentence == (
        "the disk of the engine is nearly full: 94 % of 100.0 GB used, 6.0 GB free"
    )
    assert (str(problem.subject), problem.severity) == ("disk", "warning")


def test_inodes_count_where_the_file_system_has_them() -> None:
    none = DiskUse(FOLDER, 1 * GB, 99 * GB)
    assert disk_problem(none, 90, was_full=False) is None
    few = DiskUse(FOLDER, 1 * GB, 99 * GB, used_inodes=95, free_inodes=5)
    problem = disk_problem(few, 90, was_full=False)
    assert problem is not None
    assert problem.sentence.endswith("nearly full: 95 % of the inodes used")


@pytest.mark.parametrize(
    ("used", "free", "is_full"), [(89, 11, True), (88, 12, True), (87, 13, False), (1, 1.1, True)]
)
def test_it_has_recovered_only_with_some_more_room(used: float, free: float, is_full: bool) -> None:
    disk = DiskUse(FOLDER, int(used * GB), int(free * GB))
    assert bool(disk_problem(disk, 90, was_full=True)) is is_full
