"""Decide when a stack is up.

The engine's list of containers is read again and again, until every service is ready or one of them
cannot become ready.
"""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING

from dartsctl.records import record, replace
from dartsctl.stack.inside_ports import published_targets
from dartsctl.stack.model import COMPLETED, HEALTHY, STARTED
from dartsctl.stack.waits import SETTLING_TIME
from dartsctl.text.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from dartsctl.stack.containers import Container
    from dartsctl.stack.inside_ports import SilentPort
    from dartsctl.stack.model import Service, Stack

MAX_RESTARTS = 7
"""Restarts of one container, while nothing else in its stack changes, after which we stop waiting.

The engine's growing pauses between them alone take 13 s (0.1 s, doubled each time). So a service
that exits until another one listens has time to see it start.
"""
_POLL_PAUSE = 0.25  # seconds

_LONGEST_SETTLING = 30.0
"""Seconds. A service that has waited for another one is not held up for longer than this."""

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_RESTARTING = "restarting"
_JUST_STARTED = "Up Less than a second"
_UPTIME = regex(r"Up (?:(?P<count>\d+)|About an?) (?P<unit>[a-z]+?)s?\b")


@record
class ContainerLook:
    """What was seen of a container besides its row in the engine's list."""

    restarts: int = 0
    """How often the engine has restarted it since it was last started by hand."""
    is_between_runs: bool = False
    """It has just ended, and the engine starts it again: its row may say anything."""
    silent: tuple[SilentPort, ...] = ()
    """Ports that must have a listener and have none, as far as this could be seen."""


_NO_LOOK = ContainerLook()
_NO_LOOKS: Mapping[str, ContainerLook] = MappingProxyType({})


class Condition(Enum):
    """The condition of one container."""

    READY = "ready"
    DONE = "done"
    """A one-shot that exited with 0 (edge-cases.md#74)."""
    STARTING = "starting"
    UNHEALTHY = "unhealthy"
    FAILED = "failed"
    """Exited with another code, or could not be started."""
    NOT_STARTED = "not-started"
    """Created, and nobody starts it: a service that it depends on is not well."""
    MISSING = "missing"


_NEEDS = {STARTED: "to run", HEALTHY: "to be healthy", COMPLETED: "to end well"}
"""What a dependent service waits for, by condition."""
_UP = (Condition.READY, Condition.DONE)
_HOPELESS = (
    Condition.UNHEALTHY,
    Condition.FAILED,
    Condition.NOT_STARTED,
    Condition.MISSING,
)


@record
class ContainerHealth:
    """The condition of a container; `detail` is the engine's own text."""

    service: str
    container: str
    condition: Condition
    detail: str = ""
    restarts: int = 0
    """How often the engine has restarted it since it was last started by hand, if known."""
    reason: str = ""
    """Why a container without a health check is not ready yet."""
    is_unheard: bool = False
    """It runs, and nothing listens on one of its ports."""


@record
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

    @property
    def summary(self) -> str:
        """What has come: `2 containers ready`, `1 container ready, 1 done`."""
        done = sum(each.condition is Condition.DONE for each in self.containers)
        ready = len(self.containers) - done
        summary = "1 container ready" if ready == 1 else f"{ready} containers ready"
        return f"{summary}, {done} done" if done else summary

    def name_of(self, container: ContainerHealth) -> str:
        """Return the service, or the container's name if it is one of several replicas."""
        replicas = sum(other.service == container.service for other in self.containers)
        is_alone = replicas == 1 or not container.container
        return container.service if is_alone else container.container


def assess_health(
    stack: Stack,
    containers: Sequence[Container],
    looks: Mapping[str, ContainerLook] = _NO_LOOKS,
    *,
    settling_time: float = SETTLING_TIME,
) -> StackHealth:
    """Return the condition of every wanted container; each replica without one is missing.

    `looks`, by container id, of those that `needs_look`. A container without a health check is
    ready when its ports have a listener inside, and when it has run for its settling time.
    """
    by_service: dict[str, list[Container]] = {}
    for container in containers:
        if container.belongs_to(stack.project):
            by_service.setdefault(container.service, []).append(container)
    health: list[ContainerHealth] = []
    for service in stack.services.values():
        own = by_service.get(service.name, [])
        silence = _silence_after_end(service, stack)
        for container in own:
            look = looks.get(container.id, _NO_LOOK)
            assessed = _assess(container, look, settling_time)
            if silence and assessed.condition is Condition.DONE:
                detail = f"{assessed.detail}; {silence}"
                assessed = replace(assessed, condition=Condition.FAILED, detail=detail)
            health.append(assessed)
        missing = ContainerHealth(service.name, "", Condition.MISSING, "no container")
        health += [missing] * max(0, service.replicas - len(own))
    created = {container.name for container in containers if container.state == "created"}
    return StackHealth(tuple(_with_reason(each, created, health, stack) for each in health))


def _silence_after_end(service: Service, stack: Stack) -> str:
    """Return what is missing when a service has ended, even well; empty for a one-shot."""
    for other in stack.services.values():
        if other.conditions.get(service.name) == COMPLETED:
            return ""
    ports = ", ".join(map(str, sorted(published_targets(service))))
    return f"nothing listens on its published port {ports}" if ports else ""


def _with_reason(
    container: ContainerHealth,
    created: Collection[str],
    others: Sequence[ContainerHealth],
    stack: Stack,
) -> ContainerHealth:
    """Return a created container as not started if it waits for another service."""
    if container.container not in created:
        return container
    unmet = []
    for name, condition in stack.services[container.service].conditions.items():
        needed = [other for other in others if other.service == name]
        if _is_unmet(condition, needed):
            unmet.append(f"{name} {_NEEDS.get(condition, _NEEDS[STARTED])}")
    if not unmet:
        return container
    detail = f"it waits for {' and for '.join(unmet)}"
    return replace(container, condition=Condition.NOT_STARTED, detail=detail)


def _is_unmet(condition: str, needed: Sequence[ContainerHealth]) -> bool:
    """Return whether a service, of which these are the containers, is not as others need it."""
    good: Sequence[Condition] = (*_UP, Condition.STARTING, Condition.UNHEALTHY)
    if condition == HEALTHY:
        good = (Condition.READY,)
    elif condition == COMPLETED:
        good = (Condition.DONE,)
    return any(container.condition not in good for container in needed)


def needs_look(container: Container) -> bool:
    """Return whether the engine's list alone does not tell the container's condition."""
    if container.state == "running":
        return not has_health_check(container)
    return container.state in ("restarting", "exited")


def has_health_check(container: Container) -> bool:
    """Return whether a running container has one: its own, or its image's."""
    return any(word in container.status for word in ("(healthy)", "(unhealthy)", "(health:"))


def settling_time_of(restarts: int, base: float = SETTLING_TIME) -> float:
    """Return the seconds that a container must have run after so many restarts."""
    longest = max(base, _LONGEST_SETTLING)
    return min(longest, base * 2.0 ** min(restarts, MAX_RESTARTS))


def uptime(container: Container) -> float:
    """Return for how many seconds a container has run at least, by the engine's own clock.

    Weeks, months and unknown texts are more than any settling time.
    """
    if container.status.startswith(_JUST_STARTED):
        return 0.0
    match = _UPTIME.match(container.status)
    if match is None:
        return 86_400.0
    return float(match["count"] or 1) * _UNITS.get(match["unit"], 86_400)


def _assess(container: Container, look: ContainerLook, settling_time: float) -> ContainerHealth:
    condition, reason = _condition(container, look, settling_time)
    detail = container.status
    if look.restarts and condition is Condition.STARTING:
        times = "time" if look.restarts == 1 else "times"
        detail += f", restarted {look.restarts} {times}"
    if reason and reason != _RESTARTING:
        detail += f"; {reason}"
    return ContainerHealth(
        service=container.service,
        container=container.name,
        condition=condition,
        detail=detail,
        restarts=look.restarts,
        reason=reason,
        is_unheard=bool(look.silent) and condition is Condition.STARTING,
    )


def _condition(
    container: Container, look: ContainerLook, settling_time: float
) -> tuple[Condition, str]:
    """Return the condition, and the reason why one without a health check is not ready yet."""
    if look.is_between_runs:
        return Condition.STARTING, _RESTARTING
    match container.state:
        case "running" if has_health_check(container):
            return _checked_condition(container.status), ""
        case "running":
            reason = _unready_reason(container, look, settling_time)
            return (Condition.STARTING if reason else Condition.READY), reason
        case "restarting":
            return Condition.STARTING, _RESTARTING
        case "exited" if container.status.startswith("Exited (0)"):
            return Condition.DONE, ""
        case _:
            return Condition.FAILED, ""


def _checked_condition(status: str) -> Condition:
    if "(unhealthy)" in status:
        return Condition.UNHEALTHY
    return Condition.READY if "(healthy)" in status else Condition.STARTING


def _unready_reason(container: Container, look: ContainerLook, settling_time: float) -> str:
    """Return why a running container without a health check is not ready; empty if it is."""
    if look.silent:
        return "; ".join(port.reason for port in look.silent)
    needed = settling_time_of(look.restarts, settling_time)
    if uptime(container) < needed:
        return f"ready when it has run for {needed:g} s"
    return ""


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
    is_over: Callable[[], bool],
    sleep: Callable[[float], None],
    on_change: Callable[[StackHealth], None] = lambda _: None,
) -> StackHealth:
    """Return the first health that is ready or hopeless, or the last one when the time `is_over`.

    `on_change` gets what is waited for.
    """
    last: StackHealth | None = None
    while True:
        health = read()
        if health.is_ready or health.is_hopeless or is_over():
            return health
        if health != last:
            on_change(health)
            last = health
        sleep(_POLL_PAUSE)
