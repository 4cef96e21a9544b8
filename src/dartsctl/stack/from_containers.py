"""A stack as its containers show it, where its Compose files cannot be read.

Compose labels each container with its service and what that depends on; the engine knows the rest.
A service without a container is known only if another one depends on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.records import field, record
from dartsctl.stack.health_check import NO_HEALTH_CHECK, HealthCheck
from dartsctl.stack.model import Mount, Network, PortEntry, Service, Stack

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dartsctl.stack.containers import Container


@record
class ContainerSettings:
    """What the engine says about one container of a service."""

    ports: tuple[PortEntry, ...] = ()
    networks: tuple[str, ...] = ()
    network_mode: str = ""
    health_check: HealthCheck = NO_HEALTH_CHECK
    mounts: tuple[Mount, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


def stack_of(
    project: str,
    containers: Sequence[Container],
    settings: Mapping[str, ContainerSettings],
    networks: Iterable[Network],
) -> Stack:
    """Return the stack of a project's containers.

    `settings`: by container id; a container without any has only what the list says. Of several
    replicas the first one describes the service.
    """
    replicas: dict[str, list[Container]] = {}
    for container in sorted(containers, key=lambda container: container.number):
        if container.belongs_to(project) and container.service:
            replicas.setdefault(container.service, []).append(container)
    services: dict[str, Service] = {}
    for name, group in replicas.items():
        own = settings.get(group[0].id) or ContainerSettings(listed_ports(group[0]))
        services[name] = _service(name, group, own)
    for service in tuple(services.values()):
        for name in service.depends_on:
            services.setdefault(name, Service(name))
    return Stack(project, services, {network.name: network for network in networks})


def _service(name: str, group: Sequence[Container], settings: ContainerSettings) -> Service:
    return Service(
        name=name,
        replicas=len(group),
        ports=settings.ports,
        networks=dict.fromkeys(settings.networks, 0),
        network_mode=settings.network_mode,
        image=group[0].image,
        depends_on=tuple(group[0].dependencies),
        conditions=group[0].dependencies,
        health_check=settings.health_check,
        mounts=settings.mounts,
        environment=settings.environment,
    )


def listed_ports(container: Container) -> tuple[PortEntry, ...]:
    """Return the ports that the engine's list shows for a container."""
    return tuple(
        PortEntry(target, endpoint.protocol, str(endpoint.port), endpoint.address)
        for endpoint, target in container.targets
    )
