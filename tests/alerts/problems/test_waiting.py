"""A created container that waits for another one is no problem yet."""

from __future__ import annotations

from typing import Any

import pytest

from dartsctl.alerts.problems.of_finding import problems_of
from dartsctl.diagnosis.diagnose import diagnose
from fakes.stack_facts import container, facts, service

WAITS: dict[str, Any] = {"state": "created"}


def causes(*services: Any) -> dict[str, str]:
    now = facts(*services, proxy=None)
    return {str(row.subject): row.cause for row in problems_of(diagnose(now).findings, now)}


@pytest.mark.parametrize(
    ("database", "expected"),
    [
        ({"health": "starting"}, {}),
        ({"health": "healthy"}, {"service:app": "never-started"}),
        ({}, {"service:app": "never-started"}),
        ({"health": "unhealthy"}, {"service:db": "unhealthy"}),
    ],
)
def test_it_waits_only_for_what_is_not_ready_yet(
    database: dict[str, Any], expected: dict[str, str]
) -> None:
    app = service("app", container("app", **WAITS), depends_on=("db",))
    assert causes(app, service("db", container("db", **database))) == expected


def test_it_waits_for_the_end_of_a_migration_and_for_what_that_waits_for() -> None:
    app = service("app", container("app", **WAITS), depends_on=("api",))
    waiting = {"depends_on": ("migrate",), "waits_for_end_of": ("migrate",)}
    api = service("api", container("api", **WAITS), **waiting)
    assert causes(app, api, service("migrate", container("migrate"))) == {}


def test_one_whose_start_has_failed_waits_no_more() -> None:
    broken = container("app", **WAITS, error="address already in use")
    app = service("app", broken, depends_on=("db",))
    starting = service("db", container("db", health="starting"))
    assert causes(app, starting) == {"service:app": "never-started"}
