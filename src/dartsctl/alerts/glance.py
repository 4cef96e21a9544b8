"""A light look: what shows in a few milliseconds that something has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.records import field, record
from dartsctl.text.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dartsctl.ports.listeners import Listener
    from dartsctl.stack.bindings import Endpoint
    from dartsctl.stack.containers import Container

_HEALTH = regex(r"\((?:health: )?(healthy|unhealthy|starting)\)")
_AGE = regex(r"^Up (?:Less than an?|About an?|(\d+)) (second|minute|hour|day|week|month|year)")
_SECONDS = {
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86400,
    "week": 604800,
    "month": 2592000,
    "year": 31536000,
}


@record
class ContainerGlance:
    """A container as the engine lists it. `age`: about how many seconds it runs, 0 if it does not.

    The list has no count of restarts: a container that is younger than before was started again.
    """

    service: str
    state: str
    health: str
    published: tuple[Endpoint, ...]
    age: int = 0

    @classmethod
    def of(cls, container: Container) -> ContainerGlance:
        """Return a listed container."""
        return cls(
            container.service,
            container.state,
            health_in(container.status),
            tuple(sorted(container.published)),
            age_in(container.status),
        )


@record
class Glance:
    """What a light look has read. `problem`: why the engine or the sockets could not be read."""

    containers: Mapping[str, ContainerGlance] = field(default_factory=dict)
    """Of the project, by their ids."""
    ports: frozenset[int] = frozenset()
    """Production's ports; none before the first full look."""
    sockets: frozenset[Listener] = frozenset()
    """On production's ports, without their owners."""
    foreign: frozenset[tuple[str, Endpoint]] = frozenset()
    """Ports that other projects' containers publish, with their ids."""
    problem: str = ""

    @property
    def _on_ports(self) -> tuple[frozenset[Listener], frozenset[tuple[str, Endpoint]]]:
        return self.sockets, self.foreign

    def change_since(self, before: Glance) -> str:
        """Return what differs from the look before, in words; empty for nothing."""
        if self.problem != before.problem:
            return self.problem or "the engine answers again"
        for identity, container in self.containers.items():
            old = before.containers.get(identity)
            if old is None:
                return f"{container.service} has a new container"
            if change := _change(old, container):
                return change
        for identity, container in before.containers.items():
            if identity not in self.containers:
                return f"a container of {container.service} is gone"
        if self.ports == before.ports and self._on_ports != before._on_ports:
            return "other sockets on the ports"
        return ""


def _change(old: ContainerGlance, new: ContainerGlance) -> str:
    if new.state != old.state:
        return f"{new.service} is {new.state}"
    if new.health != old.health:
        return f"{new.service} is {new.health}"
    if new.published != old.published:
        return f"{new.service} has other ports"
    if new.age < old.age:
        return f"{new.service} was started again"
    return ""


def health_in(status: str) -> str:
    """Return the health in the engine's text: `Up 3 minutes (healthy)`; empty without a check."""
    match = _HEALTH.search(status)
    return match[1] if match else ""


def age_in(status: str) -> int:
    """Return about how many seconds a container runs, by the engine's text; 0 if it does not."""
    match = _AGE.match(status)
    if match is None:
        return 0
    return int(match[1] or 1) * _SECONDS[match[2]]


def others_on(
    containers: Sequence[Container], project: str, ports: frozenset[int]
) -> frozenset[tuple[str, Endpoint]]:
    """Return what other projects' containers publish on some ports."""
    foreign: set[tuple[str, Endpoint]] = set()
    for container in containers:
        if container.project == project:
            continue
        for endpoint in container.published:
            if endpoint.port in ports:
                foreign.add((container.id, endpoint))
    return frozenset(foreign)
