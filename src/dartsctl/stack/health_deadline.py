"""Decide how long a stack may take to become healthy: as long as its own health checks allow.

Services start one after another along `depends_on`. So the longest path of dependencies counts,
each service on it with the time that its health check needs to call it unhealthy.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType
from typing import TYPE_CHECKING

from dartsctl.records import record
from dartsctl.stack.health_check import NO_HEALTH_CHECK, HealthCheck
from dartsctl.stack.model import COMPLETED
from dartsctl.stack.waits import SHORTEST_DEADLINE
from dartsctl.text.phrases import exact_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dartsctl.stack.model import Service, Stack

_NOTHING_KNOWN: Mapping[str, HealthCheck | None] = MappingProxyType({})


@record
class HealthDeadline:
    """Seconds from the moment at which the first container is created, and where they come from.

    `path` are the services that decide, with their own seconds, in the order of their start.
    `one_shots` are waited for until they have ended, which takes an unknown time. `unknown` are
    services whose image may have a health check that nobody could read.
    """

    seconds: float = SHORTEST_DEADLINE
    path: tuple[tuple[str, float], ...] = ()
    one_shots: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    is_given: bool = False
    """Whether a person chose it: by an option, a variable or the settings."""

    @property
    def sentence(self) -> str:
        """Say the deadline and its reason."""
        line = f"health deadline: {exact_duration(self.seconds)}"
        if self.is_given:
            return f"{line}, as --wait-timeout or wait_timeout says"
        reasons = [f"{name} {exact_duration(seconds)}" for name, seconds in self.path]
        if reasons and self.seconds > SHORTEST_DEADLINE:
            line += f", as the health checks allow ({', then '.join(reasons)})"
        else:
            line += ", the shortest default"
        if self.one_shots:
            line += f"; it starts again when {_listed(self.one_shots)} has ended"
        if self.unknown:
            line += f"; not counted: a health check in the image of {_listed(self.unknown)}"
        return line

    def document(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "seconds": self.seconds,
            "given": self.is_given,
            "path": [{"service": name, "seconds": seconds} for name, seconds in self.path],
            "one_shots": list(self.one_shots),
            "unknown": list(self.unknown),
        }


def given(seconds: float) -> HealthDeadline:
    """Return the deadline that a person chose."""
    return HealthDeadline(seconds, is_given=True)


def by_health_checks(
    stack: Stack, images: Mapping[str, HealthCheck | None] = _NOTHING_KNOWN
) -> HealthDeadline:
    """Return the deadline that the services' own health checks allow, at least SHORTEST_DEADLINE.

    `images`: the health check of each image, None if the image could not be read. An image that is
    not in it has none.
    """
    started = {name: body for name, body in stack.services.items() if body.replicas}
    one_shots = waited_for_until_they_end(started.values())
    needed: dict[str, float] = {}
    unknown: list[str] = []
    for name, service in started.items():
        image = images.get(stack.image_of(service), NO_HEALTH_CHECK)
        if image is None and not service.health_check.test and name not in one_shots:
            unknown.append(name)
        needed[name] = service.health_check.over(image or NO_HEALTH_CHECK).longest
    for name in one_shots:
        needed[name] = 0.0
    path = _longest_path(started, needed)
    seconds = sum(needed[name] for name in path)
    return HealthDeadline(
        max(SHORTEST_DEADLINE, seconds),
        tuple((name, needed[name]) for name in path if needed[name]),
        one_shots,
        tuple(unknown),
    )


def needs_image(service: Service) -> bool:
    """Return whether the image's own health check may count for a service."""
    check = service.health_check
    says_all = check.test and check.interval and check.timeout and check.retries
    return not check.is_disabled and not (says_all and check.start_period)


def waited_for_until_they_end(services: Iterable[Service]) -> tuple[str, ...]:
    """Return the services that others wait for until they have ended well, in their order."""
    services = tuple(services)
    waited_for: set[str] = set()
    for service in services:
        waited_for.update(
            name for name, condition in service.conditions.items() if condition == COMPLETED
        )
    return tuple(service.name for service in services if service.name in waited_for)


def _longest_path(services: Mapping[str, Service], needed: Mapping[str, float]) -> list[str]:
    """Return the services of the path that needs the most time, in the order of their start."""
    graph = {
        name: [other for other in service.depends_on if other in services]
        for name, service in services.items()
    }
    total: dict[str, float] = {}
    before: dict[str, str] = {}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError:  # Compose refuses these; one after another is the longest that can be
        return list(services)
    for name in order:
        total[name] = needed[name]
        if graph[name]:
            slowest = max(graph[name], key=lambda other: total[other])
            before[name] = slowest
            total[name] += total[slowest]
    path: list[str] = []
    last = max(total, key=lambda name: total[name], default="")
    while last:
        path.append(last)
        last = before.get(last, "")
    return path[::-1]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
