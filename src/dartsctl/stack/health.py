"""When is a stack up? Reading the engine's list of containers, again and again, until every service is ready or one cannot become so."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType

from dartsctl.stack.containers import Container
from dartsctl.stack.model import Stack

GIVE_UP = 7
"""Restarts of one container while nothing else in its stack moves, after which more of them are not waited for: the engine's growing pauses
between them alone take 13 s (0.1 s, doubled each time). A service that dies until another one listens has time to see it come."""

_YOUNG = re.compile(r"Up Less than a second\b")
_YOUNG_AFTER_A_RESTART = re.compile(r"Up (Less than a second|[1-9] seconds?)\b")
"""The engine calls a container that ran for 10 s well, and begins its pauses anew."""
_NO_RESTARTS: Mapping[str, int] = MappingProxyType({})


class Condition(Enum):
    """Where one container stands."""

    READY = "ready"
    DONE = "done"
    """A one-shot that ended with 0 (edge-cases.md#74)."""
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
    restarts: int = 0
    """How often the engine has restarted it since somebody last started it, as far as that was asked for."""


@dataclass(frozen=True, slots=True)
class Health:
    """The whole stack's: `ready` when nothing is left to wait for; `hopeless` when waiting longer cannot help."""

    services: tuple[ServiceHealth, ...]

    @property
    def is_ready(self) -> bool:
        return all(one.condition in (Condition.READY, Condition.DONE) for one in self.services)

    @property
    def is_hopeless(self) -> bool:
        return any(
            one.condition in (Condition.UNHEALTHY, Condition.FAILED, Condition.MISSING)
            for one in self.services
        )

    @property
    def waiting_for(self) -> tuple[ServiceHealth, ...]:
        return tuple(
            one for one in self.services if one.condition not in (Condition.READY, Condition.DONE)
        )


def assess(
    stack: Stack, containers: Sequence[Container], restarts: Mapping[str, int] = _NO_RESTARTS
) -> Health:
    """Every wanted container's condition, a missing one for each replica that is not there.

    `restarts` are RestartCounts by container id, of those that `may_be_looping`. Without a health check a container is ready when it has run for a
    second, after a restart for ten: a fast crash loop looks "Up Less than a second" again and again (edge-cases.md#75).
    """
    found: list[ServiceHealth] = []
    for service in stack.services.values():
        own = [
            one
            for one in containers
            if one.project == stack.project and one.service == service.name and not one.is_one_off
        ]
        found += [_health_of(one, restarts.get(one.id, 0)) for one in own]
        found += [ServiceHealth(service.name, "", Condition.MISSING, "no container")] * max(
            0, service.replicas - len(own)
        )
    return Health(tuple(found))


def may_be_looping(container: Container) -> bool:
    """Whether its RestartCount decides: it restarts, or has started a moment ago and no health check vouches for it."""
    if container.state == "running":
        return "(healthy)" not in container.status and bool(
            _YOUNG_AFTER_A_RESTART.match(container.status)
        )
    return container.state == "restarting"


def _health_of(container: Container, restarts: int) -> ServiceHealth:
    condition = _condition(container, restarts)
    told = (
        f", restarted {restarts} time{'s' if restarts > 1 else ''}"
        if restarts and condition is Condition.STARTING
        else ""
    )
    return ServiceHealth(
        container.service, container.name, condition, container.status + told, restarts
    )


def _condition(container: Container, restarts: int) -> Condition:
    if container.state == "running":
        if "(unhealthy)" in container.status:
            return Condition.UNHEALTHY
        if "(healthy)" in container.status:
            return Condition.READY
        too_young = (_YOUNG_AFTER_A_RESTART if restarts else _YOUNG).match(container.status)
        return (
            Condition.STARTING
            if too_young or "(health: starting)" in container.status
            else Condition.READY
        )
    if container.state == "exited":
        return Condition.DONE if re.match(r"Exited \(0\)", container.status) else Condition.FAILED
    return Condition.STARTING if container.state == "restarting" else Condition.FAILED


class CrashLoops:
    """Remembers how often containers restarted since anything else in the stack moved, and says when waiting for them is in vain."""

    def __init__(self) -> None:
        self._settled: frozenset[str] = frozenset()
        self._counted_from: dict[str, int] = {}

    def judge(self, now: Health) -> Health:
        """`now`, with those that have restarted GIVE_UP times in vain as failed."""
        settled = frozenset(
            one.container
            for one in now.services
            if one.condition in (Condition.READY, Condition.DONE)
        )
        if settled != self._settled:
            self._settled = settled
            self._counted_from = {one.container: one.restarts for one in now.services}
        return Health(tuple(self._judged(one) for one in now.services))

    def _judged(self, one: ServiceHealth) -> ServiceHealth:
        tries = one.restarts - self._counted_from.get(one.container, 0)
        if one.condition is not Condition.STARTING:
            return one
        return (
            replace(one, condition=Condition.FAILED, detail=f"crash loop: {one.detail}")
            if tries >= GIVE_UP
            else one
        )


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
