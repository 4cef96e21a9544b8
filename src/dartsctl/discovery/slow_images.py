"""Images that take minutes until they answer, and that come without a health check.

Without one, `up` cannot know how long is normal (stack/health_deadline.py). The times are generous:
a first start that creates a database, on a small machine.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dartsctl.discovery.service_roles import names_of
from dartsctl.stack.health_check import HealthCheck
from dartsctl.stack.health_deadline import by_health_checks
from dartsctl.text.phrases import exact_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dartsctl.stack.model import Service, Stack

_MINUTES: tuple[tuple[str, float], ...] = (
    (r"wso2-?is|wso2-?a(?:pi)?m|wso2-?(?:ei|mi|obiam|iskm)", 10),
    (r"gitlab(?:-[ce]e)?|bitnami/discourse|magento|liferay/portal|dxp", 10),
    (r"oracle-(?:xe|free)(?:-11g)?|database/(?:enterprise|express|free)|db2|db2_community", 10),
    (r"jira(?:-software|-servicemanagement)?|confluence(?:-server)?|bitbucket(?:-server)?", 10),
    (r"sonarqube|keycloak|jenkins|nexus3|artifactory-.*|nextcloud|openproject|zammad", 5),
    (r"elasticsearch|opensearch|kibana|opensearch-dashboards|cassandra|scylla", 3),
    (r"mssql/server|azure-sql-edge|rocket\.chat|superset", 3),
)
_INTERVAL = 30.0


def slow_seconds(service: Service) -> float:
    """Return how long a service may take to answer, 0 where nothing is known about its image."""
    for pattern, minutes in _MINUTES:
        if any(re.fullmatch(pattern, name) for name in names_of(service)):
            return minutes * 60
    return 0.0


def slow_services(stack: Stack) -> dict[str, float]:
    """Return the services that take long and whose Compose files declare no health check."""
    slow: dict[str, float] = {}
    for name, service in stack.services.items():
        seconds = slow_seconds(service)
        if seconds and service.replicas and not service.health_check.test:
            slow[name] = seconds
    return slow


def check_that_takes(seconds: float) -> HealthCheck:
    """Return a health check that gives a service this time, for the sum along `depends_on`."""
    return HealthCheck(
        ("CMD", "true"),
        interval=_INTERVAL,
        timeout=_INTERVAL,
        start_period=seconds - 2 * _INTERVAL,
        retries=1,
    )


def wait_timeout(stack: Stack, images: Mapping[str, HealthCheck]) -> tuple[int, str] | None:
    """Return the seconds that a stack needs, and why; None where the default is enough.

    `images`: the health checks of images that are known.
    """
    slow = slow_services(stack)
    checks = dict(images)
    unchecked: list[str] = []
    for name, seconds in slow.items():
        image = stack.image_of(stack.services[name])
        if image in images and images[image].runs:
            continue
        checks[image] = check_that_takes(seconds)
        unchecked.append(name)
    needed = by_health_checks(stack, checks).seconds
    if not unchecked or needed <= by_health_checks(stack, images).seconds:
        return None
    return round(needed), _reason(unchecked, slow)


def _reason(names: Iterable[str], slow: Mapping[str, float]) -> str:
    times = ", ".join(f"{name} {exact_duration(slow[name])}" for name in names)
    return f"without a health check, images like these may need: {times}"
