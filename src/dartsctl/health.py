"""When is a stack up? Reading the engine's list of containers, again and again, until every service is ready or one cannot become so."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from dartsctl.containers import Container
from dartsctl.stack import Stack


class Condition(Enum):
    """Where one container stands."""

    READY = "ready"
    DONE = "done"
    """A one-shot that ended with 0 (EDGE 74)."""
    STARTING = "starting"
    UNHEALTHY = "unhealthy"
    FAILED = "failed"
    """Exited with another code, or never started."""
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """One container's condition; `detail` is the engine's own sentence."""

    service: str
    container: str
    condition: Condition
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """The whole stack's: `ready` when nothing is left to wait for; `hopeless` when waiting longer cannot help."""

    services: tuple[ServiceHealth, ...]

    @property
    def is_ready(self) -> bool:
        return all(one.condition in (Condition.READY, Condition.DONE) for one in self.services)

    @property
    def is_hopeless(self) -> bool:
        return any(one.condition in (Condition.UNHEALTHY, Condition.FAILED, Condition.MISSING) for one in self.services)

    @property
    def waiting_for(self) -> tuple[ServiceHealth, ...]:
        return tuple(one for one in self.services if one.condition not in (Condition.READY, Condition.DONE))


def assess(stack: Stack, containers: Sequence[Container]) -> Health:
    """Every wanted container's condition, a missing one for each replica that is not there."""
    found: list[ServiceHealth] = []
    for service in stack.services.values():
        own = [one for one in containers if one.project == stack.project and one.service == service.name and not one.is_one_off]
        found += [ServiceHealth(service.name, one.name, _condition(one), one.status) for one in own]
        found += [ServiceHealth(service.name, "", Condition.MISSING, "no container")] * max(0, service.replicas - len(own))
    return Health(tuple(found))


def _condition(container: Container) -> Condition:
    if container.state == "running":
        if "(unhealthy)" in container.status:
            return Condition.UNHEALTHY
        return Condition.STARTING if "(health: starting)" in container.status else Condition.READY
    if container.state == "exited":
        return Condition.DONE if re.match(r"Exited \(0\)", container.status) else Condition.FAILED
    return Condition.STARTING if container.state == "restarting" else Condition.FAILED


def wait(
    read: Callable[[], Health],
    *,
    deadline: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    on_change: Callable[[Health], None] = lambda _: None,
) -> Health:
    """The first Health that is ready or hopeless, else the last one before `deadline` (a time of `clock`, seconds)."""
    last: Health | None = None
    while True:
        health = read()
        if health != last:
            on_change(health)
            last = health
        if health.is_ready or health.is_hopeless or clock() >= deadline:
            return health
        sleep(0.25)
