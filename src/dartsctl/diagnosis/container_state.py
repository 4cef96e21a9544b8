"""Questions about a container's state that several causes ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import ContainerFacts, Facts, ServiceFacts
    from dartsctl.stack.bindings import Endpoint

BRIEF = 10.0
"""Seconds. A container that runs for less may still be starting, or about to end again
(edge-cases.md#75)."""
_LOOPS = 3
"""Restarts from which a container that runs only briefly is in a crash loop."""


def containers(facts: Facts) -> Iterator[tuple[ServiceFacts, ContainerFacts]]:
    """Yield every container with its service, without services that are scaled to 0."""
    for service in facts.services.values():
        if service.replicas:
            for container in service.containers:
                yield service, container


def age(container: ContainerFacts, facts: Facts) -> float:
    """Return for how many seconds a container runs; BRIEF where the engine does not tell."""
    return facts.now - container.started if container.started else BRIEF


def is_crash_looping(container: ContainerFacts, facts: Facts) -> bool:
    """Whether a running container was restarted several times and runs only briefly."""
    return (
        container.runs
        and container.restart_count >= _LOOPS
        and age(container, facts) < BRIEF
        and container.health != "healthy"
    )


def is_stable(container: ContainerFacts, facts: Facts) -> bool:
    """Whether a container runs, and not in a crash loop."""
    return container.runs and not is_crash_looping(container, facts)


def has_ended(container: ContainerFacts) -> bool:
    """Whether a container was started once and runs no more."""
    return container.state not in ("running", "restarting", "created", "paused")


def is_failing(service: ServiceFacts, facts: Facts) -> bool:
    """Whether a container of a service fails: it ends again and again, or its checks fail."""
    return any(
        container.state == "restarting"
        or container.is_unhealthy
        or is_crash_looping(container, facts)
        or (has_ended(container) and container.exit_code != 0)
        for container in service.containers
    )


def is_needed(service: ServiceFacts, facts: Facts) -> bool:
    """Whether a service must run all the time; others are one-shots (edge-cases.md#74).

    Such a service is the proxy, an upstream, has published ports, is always restarted, or has a
    health check, unless others wait for its end.
    """
    if service.published or (facts.proxy and facts.proxy.service == service.name):
        return True
    if facts.upstreams_of(service.name):
        return True
    policies = {container.restart_policy for container in service.containers}
    if not policies.isdisjoint({"always", "unless-stopped"}):
        return True
    if any(service.name in other.waits_for_end_of for other in facts.services.values()):
        return False
    return any(container.health for container in service.containers)


def dependencies(service: ServiceFacts, facts: Facts) -> tuple[str, ...]:
    """Return everything that a service needs by `depends_on`, directly or not."""
    needed: dict[str, None] = {}
    waiting = list(service.depends_on)
    while waiting:
        name = waiting.pop()
        if name in needed or name == service.name:
            continue
        needed[name] = None
        if name in facts.services:
            waiting += facts.services[name].depends_on
    return tuple(needed)


def asked_ports(service: ServiceFacts, facts: Facts) -> set[int]:
    """Return the ports inside a service's containers that the proxy connects to."""
    if facts.proxy and facts.proxy.service == service.name:
        return set()
    return {upstream.target.port for upstream in facts.upstreams_of(service.name)} - {0}


@record
class UnreachablePort:
    """A port inside a container on which nothing listens that is reachable from outside.

    `loopback`: the listeners on the container's own loopback address; none where nothing listens.
    """

    port: int
    loopback: tuple[Endpoint, ...]


def unreachable_port(
    service: ServiceFacts, container: ContainerFacts, facts: Facts, *, only: int = 0
) -> UnreachablePort | None:
    """Return the first published or asked port that is unreachable, or `only` this one.

    None too where the sockets inside could not be read, or belong to another network namespace.
    """
    mode = container.network_mode
    is_shared = mode == "host" or mode.startswith(("service:", "container:"))
    if container.listening is None or is_shared:
        return None
    asked = asked_ports(service, facts)
    published = {place.target for place in container.wanted if place.endpoint.protocol == "tcp"}
    for port in sorted({only} if only else asked | published):
        listeners = tuple(place for place in container.listening if place.port == port)
        if listeners and all(map(is_loopback, listeners)):
            return UnreachablePort(port, listeners)
        if not listeners and port in asked and container.health != "starting":
            return UnreachablePort(port, ())
    return None


def is_loopback(endpoint: Endpoint) -> bool:
    """Whether an endpoint is reachable only inside its network namespace."""
    return endpoint.address == "::1" or endpoint.address.startswith("127.")
