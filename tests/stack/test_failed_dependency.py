"""Compose's own words for a dependency that is not as it should be.

Recorded with 2.24.5, 2.29.7, 2.36.2 and 2.40.3, which say the same.
"""

from __future__ import annotations

import pytest

from dartsctl.stack.failed_dependency import FailedDependency, parse_failed_dependency

BEFORE = " Container shop-db-1  Waiting\n Container shop-db-1  Error\n"
NOT_COMPLETED = 'service "db" didn\'t complete successfully: exit 3'
FAILED = "dependency failed to start: container shop-db-1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{BEFORE}{FAILED} is unhealthy", FailedDependency("unhealthy", "shop-db-1")),
        (f"{BEFORE}{FAILED} exited (3)\n", FailedDependency("exited", "shop-db-1", 3)),
        (f"{BEFORE}{FAILED} exited (0)", FailedDependency("exited", "shop-db-1", 0)),
        (
            f"{BEFORE}{FAILED} has no healthcheck configured",
            FailedDependency("unchecked", "shop-db-1"),
        ),
        (
            f"{BEFORE}{NOT_COMPLETED}",
            FailedDependency("not-completed", "db", 3),
        ),
    ],
)
def test_what_compose_says_of_a_dependency(text: str, expected: FailedDependency) -> None:
    assert parse_failed_dependency(text) == expected


@pytest.mark.parametrize("text", ["", BEFORE, "Error response from daemon: no such image"])
def test_other_failures_are_none(text: str) -> None:
    assert parse_failed_dependency(text) is None
