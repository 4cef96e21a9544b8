"""What a dev stack shares with production: names, host ports, volumes, networks, image tags.

Started beside it, each of these fails, or joins both stacks (docs/edge-cases.md). Networks and
volumes go by the engine's names, those that Compose derives from the project are never shared.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from dartsctl.discovery.service_roles import kind_of
from dartsctl.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dartsctl.discovery.service_roles import ServiceKind
    from dartsctl.stack.model import Mount, Service, Stack
    from dartsctl.stack.subnets import Subnet


@record
class Shared:
    """What a dev stack shares with production, by the dev stack's services and keys."""

    names: tuple[str, ...] = ()
    """Services whose container name a container of production has."""
    ports: tuple[str, ...] = ()
    """Services that publish a port of production's."""
    images: tuple[str, ...] = ()
    """Services whose built image has a tag of production's."""
    folders: tuple[tuple[str, Mount], ...] = ()
    """Services that store their data in a folder of this host where production does."""
    volumes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()
    """Networks with addresses that a network of production's has."""

    @property
    def is_nothing(self) -> bool:
        return self == Shared()

    @property
    def services(self) -> frozenset[str]:
        """The services that start only if something of them is changed."""
        return frozenset({*self.names, *self.ports})

    def words(self) -> str:
        """Return what is shared, for people: `container names, host ports`."""
        parts = (
            ("container names", len(self.names)),
            ("host ports", len(self.ports)),
            ("image tags", len(self.images)),
            ("data folders", len(self.folders)),
            ("volumes", len(self.volumes)),
            ("networks", len({*self.networks, *self.subnets})),
        )
        return ", ".join(what for what, count in parts if count)


def shared_with(production: Stack, dev: Stack) -> Shared:
    """Return what `dev` shares with production."""
    theirs, ours = production.services, dev.services
    names = {service.container_name for service in theirs.values()} - {""}
    images = {service.image for service in theirs.values()} - {""}
    numbers = published_by(production)
    sources: set[str] = set()
    for service in theirs.values():
        sources.update(mount.source for mount in _data_folders(service))
    folders: list[tuple[str, Mount]] = []
    for name, service in ours.items():
        folders += [(name, mount) for mount in _data_folders(service) if mount.source in sources]
    return Shared(
        names=_services(ours, lambda service: service.container_name in names),
        ports=_services(ours, lambda service: _publishes_any(service, numbers)),
        images=_services(ours, lambda service: service.is_built and service.image in images),
        folders=tuple(folders),
        volumes=_same_names(_volumes(production), _volumes(dev)),
        networks=_same_names(_networks(production), _networks(dev)),
        subnets=_overlapping(production, dev),
    )


def _data_folders(service: Service) -> list[Mount]:
    """Return the folders of this host in which a service stores its data."""
    kind = kind_of(service)
    if kind is None:
        return []
    return [mount for mount in service.mounts if not mount.read_only and _is_data(mount, kind)]


def _numbers_of(service: Service) -> set[tuple[str, int]]:
    """Return the fixed host ports of a service, each with its protocol."""
    numbers: set[tuple[str, int]] = set()
    for entry in (*service.ports, *service.host_ports):
        if not entry.is_ephemeral:
            numbers.update((entry.protocol, number) for number in entry.numbers)
    return numbers


def published_by(stack: Stack) -> set[tuple[str, int]]:
    """Return the fixed host ports of a stack, each with its protocol."""
    numbers: set[tuple[str, int]] = set()
    for service in stack.services.values():
        numbers |= _numbers_of(service)
    return numbers


def _publishes_any(service: Service, numbers: set[tuple[str, int]]) -> bool:
    """Return whether a service publishes one of these. On the host's network it publishes none."""
    return service.network_mode != "host" and bool(numbers & _numbers_of(service))


def _is_data(mount: Mount, kind: ServiceKind) -> bool:
    target = f"{mount.target.rstrip('/')}/"
    return any(target.startswith(f"{folder}/") for folder in kind.data)


def _services(
    services: Mapping[str, Service], is_shared: Callable[[Service], bool]
) -> tuple[str, ...]:
    return tuple(name for name, service in services.items() if is_shared(service))


def _volumes(stack: Stack) -> dict[str, str]:
    return {**stack.fixed_volumes, **stack.external_volumes}


def _networks(stack: Stack) -> dict[str, str]:
    external = {key: network.name for key, network in stack.networks.items() if network.external}
    return {**stack.fixed_networks, **external}


def _same_names(theirs: Mapping[str, str], ours: Mapping[str, str]) -> tuple[str, ...]:
    """Return the keys of dev's volumes or networks that have a name of production's."""
    return tuple(key for key, name in ours.items() if name in theirs.values())


def _overlapping(production: Stack, dev: Stack) -> tuple[str, ...]:
    """Return dev's networks with addresses that a network of production's has too."""
    theirs: list[Subnet] = []
    for network in production.networks.values():
        theirs += network.subnets
    keys: list[str] = []
    for key, network in dev.networks.items():
        pairs = itertools.product(network.subnets, theirs)
        if any(own.overlaps(other) for own, other in pairs):
            keys.append(key)
    return tuple(keys)
