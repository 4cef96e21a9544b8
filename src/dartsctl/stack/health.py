"""Decide when a stack is up.

The engine's list of containers is read again and again, until every service is ready or one of them
cannot become ready.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dartsctl.stack.containers import Container
    from dartsctl.stack.model import Stack

MAX_RESTARTS = 7
"""Restarts of one container, while nothing else in its stack changes, after which we stop waiting.

The engine's growing pauses between them alone take 13 s (0.1 s, doubled each time). So a service
that exits until another one listens has time to see it start.
"""
_POLL_PAUSE = 0.25  # seconds

_JUST_STARTED = re.compile(r"Up Less than a second\b")
_JUST_RESTARTED = re.compile(r"Up (Less than a second|[1-9] seconds?)\b")
"""After 10 s the engine considers a container well, and its pauses start at 0.1 s again."""
_NO_RESTARTS: Mapping[str, int] = MappingProxyType({})


class Condition(Enum):
    """The condition of one container."""

    READY = "ready"
    DONE = "done"
    """A one-shot that exited with 0 (edge-cases.md#74)."""
    STARTING = "starting"
    UNHEALTHY = "unhealthy"
    FAILED = "failed"
    """Exited with another code, or never started."""
    MISSING = "missing"


_UP = (Condition.READY, Condition.DONE)
_HOPELESS = (Condition.UNHEALTHY, Condition.FAILED, Condition.MISSING)


@dataclass(frozen=True, slots=True)
class ContainerHealth:
    """The condition of a container; `detail` is the engine's own text."""

    service: str
    container: str
    condition: Condition
    detail: str = ""
    restarts: int = 0
    """How often the engine has restarted it since it was last started by hand, if known."""


@dataclass(frozen=True, slots=True)
class StackHealth:
    """The condition of all containers of a stack."""

    containers: tuple[ContainerHealth, ...]

    @property
    def is_ready(self) -> bool:
        """Whether there is nothing left to wait for."""
        return not self.waiting_for

    @property
    def is_hopeless(self) -> bool:
        """Whether waiting longer cannot help."""
        return any(container.condition in _HOPELESS for container in self.containers)

    @property
    def waiting_for(self) -> tuple[ContainerHealth, ...]:
        return tuple(container for container in self.containers if container.condition not in _UP)


def assess_health(
    stack: Stack, containers: Sequence[Container], restarts: Mapping[str, int] = _NO_RESTARTS
) -> StackHealth:
    """Return the condition of every wanted container; each replica without one is missing.

    `restarts`: the RestartCount, by container id, of those that `may_be_looping`. A container
    without a health check is ready when it has run for a second, or for ten after a restart: a fast
    crash loop shows "Up Less than a second" again and again (edge-cases.md#75).
    """
    by_service: dict[str, list[Container]] = {}
    for container in containers:
        if container.belongs_to(stack.project):
            by_service.setdefault(container.service, []).append(container)
    health: list[ContainerHealth] = []
    for service in stack.services.values():
        own = by_service.get(service.name, [])
        health += [_assess(container, restarts.get(container.id, 0)) for container in own]
        missing = ContainerHealth(service.name, "", Condition.MISSING, "no container")
        health += [missing] * max(0, service.replicas - len(own))
    return StackHealth(tuple(health))


def may_be_looping(container: Container) -> bool:
    """Return whether the container's RestartCount is needed.

    That is the case if it is restarting, or has just started and has no passed health check.
    """
    if container.state != "running":
        return container.state == "restarting"
    return "(healthy)" not in container.status and bool(_JUST_RESTARTED.match(container.status))


def _assess(container: Container, restarts: int) -> ContainerHealth:
    condition = _condition(container, restarts)
    detail = container.status
    if restarts and condition is Condition.STARTING:
        times = "time" if restarts == 1 else "times"
        detail += f", restarted {restarts} {times}"
    return ContainerHealth(container.service, container.name, condition, detail, restarts)


def _condition(container: Container, restarts: int) -> Condition:
    match container.state:
        case "running":
            return _running_condition(container.status, restarts)
        case "restarting":
            return Condition.STARTING
        case "exited" if container.status.startswith("Exited (0)"):
            return Condition.DONE
        case _:
            return Condition.FAILED


def _running_condition(status: str, restarts: int) -> Condition:
    if "(unhealthy)" in status:
        return Condition.UNHEALTHY
    if "(healthy)" in status:
        return Condition.READY
    too_early = _JUST_RESTARTED if restarts else _JUST_STARTED
    if too_early.match(status) or "(health: starting)" in status:
        return Condition.STARTING
    return Condition.READY


class CrashLoops:
    """Counts restarts since anything else in the stack changed, to recognize crash loops."""

    def __init__(self) -> None:
        self._up: frozenset[str] = frozenset()
        self._counted_from: dict[str, int] = {}

    def judge(self, health: StackHealth) -> StackHealth:
        """Return `health` with containers failed that have restarted MAX_RESTARTS times."""
        containers = health.containers
        up = frozenset(each.container for each in containers if each.condition in _UP)
        if up != self._up:
            self._up = up
            self._counted_from = {each.container: each.restarts for each in containers}
        return StackHealth(tuple(map(self._judge, containers)))

    def _judge(self, container: ContainerHealth) -> ContainerHealth:
        restarts = container.restarts - self._counted_from.get(container.container, 0)
        if container.condition is not Condition.STARTING or restarts < MAX_RESTARTS:
            return container
        detail = f"crash loop: {container.detail}"
        return replace(container, condition=Condition.FAILED, detail=detail)


def wait_until_ready(
    read: Callable[[], StackHealth],
    *,
    deadline: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    on_change: Callable[[StackHealth], None] = lambda _: None,
) -> StackHealth:
    """Return the first health that is ready or hopeless, or the last one before `deadline`.

    `deadline` is a time of `clock`, in seconds.
    """
    last: StackHealth | None = None
    while True:
        health = read()
        if health != last:
            on_change(health)
            last = health
        if health.is_ready or health.is_hopeless or clock() >= deadline:
            return health
        sleep(_POLL_PAUSE)
