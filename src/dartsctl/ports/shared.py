"""What two stacks would share because their files name it alike: volumes, networks, images.

The engine reports no error about most of it. Source: engine-rules.md#shared.
"""

from __future__ import annotations

from dartsctl.records import field, record
from dartsctl.stack.model import default_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from typing import Any, Literal

    from dartsctl.stack.containers import Container
    from dartsctl.stack.model import Service, Stack
    from dartsctl.stack.subnets import NetworkInUse, Subnet

    SharedKind = Literal["volume", "network", "subnet", "image"]
    ResourceKind = Literal["volume", "network", "image"]
    """What has an owner on the engine."""
    Owner = Callable[[ResourceKind, str], str | None]
    """Returns the Compose project that made a volume, network or image. Empty: none is known.
    None: there is no such thing."""


@record
class SharedResource:
    """Something that another stack has under the name that this stack's files give it.

    `key` is its key in the files; an image has that of its service. `instead` is what this stack
    would have without the name, empty for a subnet: the engine chooses one.
    """

    kind: SharedKind
    key: str
    name: str
    services: tuple[str, ...]
    project: str = ""
    """The other stack's project, empty if there is no Compose project behind it."""
    container: Container | None = None
    """A container of the other stack that uses it, if there is one."""
    network: str = ""
    """The other network, for a subnet."""
    instead: str = ""

    @property
    def owner(self) -> str:
        """`project shop (container shop-db)`."""
        container = f"container {self.container.name}" if self.container else ""
        if self.network:
            container = f"network {self.network}"
        if not self.project:
            return container or "somebody else"
        return f"project {self.project} ({container})" if container else f"project {self.project}"

    @property
    def line(self) -> str:
        """Return what is shared with whom, and what would come of it."""
        names = ", ".join(self.services)
        match self.kind:
            case "volume":
                return f"{names} would use the data of {self.owner}: volume {self.name}"
            case "network":
                return (
                    f"{names} would join network {self.name} of {self.owner}:"
                    " a service name there means the containers of both"
                )
            case "subnet":
                return f"network {self.key} wants the subnet {self.name}: {self.owner} has it"
            case _:
                return f"a build of {names} would replace the image {self.name} of {self.owner}"

    @property
    def move(self) -> str:
        """Return what is done instead: `volume shop-dev_data instead of shop_data`."""
        match self.kind:
            case "volume":
                return f"volume {self.instead} instead of {self.name}, without its data"
            case "subnet":
                fixed = " and no fixed addresses" if self.services else ""
                return f"network {self.key} has a free subnet instead of {self.name}{fixed}"
            case _:
                return f"{self.kind} {self.instead} instead of {self.name}"

    def document(self) -> dict[str, Any]:
        return {
            "kind": f"shared-{self.kind}",
            "name": self.name,
            "wanted_by": list(self.services),
            "project": self.project,
            "network": self.network,
            "message": self.line,
        }


@record
class Neighbours:
    """What the engine has besides this stack. `siblings` are the other environments' projects.

    `base` is the project that all checkouts have, with a linked worktree's name after it.
    """

    containers: Sequence[Container] = ()
    siblings: Collection[str] = ()
    networks: Sequence[NetworkInUse] = ()
    base: str = ""
    owner: Owner = field(default=lambda _kind, _name: None)

    def has(self, project: str) -> bool:
        """Return whether it is another environment's project, or another checkout's."""
        is_copy = project == self.base or project.startswith(f"{self.base}-")
        return project in self.siblings or (bool(self.base) and is_copy)


def find(stack: Stack, neighbours: Neighbours) -> Iterator[SharedResource]:
    """Yield what `stack` would share with another environment, or with a copy of itself.

    That is what belongs to one of the siblings, or what a container of a service with the same
    name has. Other projects may share a cache or a proxy's network by intention.
    """
    containers = _by_resource(neighbours.containers, stack)
    users = _users((service.name, service.volumes) for service in _active(stack))
    for key, name in stack.fixed_volumes.items():
        wanted = _Wanted("volume", key, name, users.get(key, ()))
        yield from _if_shared(wanted, containers, stack, neighbours)
    users = _users((service.name, service.networks) for service in _active(stack))
    for key, name in stack.fixed_networks.items():
        wanted = _Wanted("network", key, name, users.get(key, ()))
        yield from _if_shared(wanted, containers, stack, neighbours)
    yield from subnets_taken(stack, neighbours.networks)
    for service in _active(stack):
        if service.is_built and service.image:
            wanted = _Wanted("image", service.name, service.image, (service.name,))
            yield from _if_shared(wanted, containers, stack, neighbours)


def made_by_others(neighbours: Neighbours, stack: Stack) -> Iterator[SharedResource]:
    """Yield the volumes, by whatever name, and the built images that another environment made."""
    users = _users((service.name, service.volumes) for service in _active(stack))
    for key, name in stack.own_volumes.items():
        owner = neighbours.owner("volume", name) if key in users else None
        if owner and owner in neighbours.siblings:
            yield SharedResource("volume", key, name, users[key], owner)
    for service in _active(stack):
        if service.is_built and service.image:
            owner = neighbours.owner("image", service.image)
            if owner and owner in neighbours.siblings:
                yield SharedResource("image", service.name, service.image, (service.name,), owner)


def _active(stack: Stack) -> list[Service]:
    return [service for service in stack.services.values() if service.replicas]


def _users(wishes: Iterable[tuple[str, Iterable[str]]]) -> dict[str, tuple[str, ...]]:
    """Return the services that use each key, from the keys that each of them uses."""
    users: dict[str, dict[str, None]] = {}
    for service, keys in wishes:
        for key in keys:
            users.setdefault(key, {})[service] = None
    return {key: tuple(services) for key, services in users.items()}


@record
class _Wanted:
    """A resource that the files name. `users` are the services that use it."""

    kind: ResourceKind
    key: str
    name: str
    users: tuple[str, ...]


def _if_shared(
    wanted: _Wanted,
    containers: Mapping[tuple[ResourceKind, str], Sequence[Container]],
    stack: Stack,
    neighbours: Neighbours,
) -> Iterator[SharedResource]:
    """Yield the resource if another stack has it. `containers`: those that have each one."""
    kind, key, name, users = wanted.kind, wanted.key, wanted.name, wanted.users
    owner = neighbours.owner(kind, name) if users else None
    if owner is None or owner == stack.project:
        owner = ""
    container = _user_of(containers.get((kind, name), ()), users, neighbours)
    if container is None and not neighbours.has(owner):
        return
    project = container.project if container else owner
    instead = _own_name(kind, key, stack)
    yield SharedResource(kind, key, name, users, project, container, instead=instead)


def _own_name(kind: SharedKind, key: str, stack: Stack) -> str:
    """Return what Compose calls it without a name in the files."""
    return own_image(stack, key) if kind == "image" else default_name(stack.project, key)


def _user_of(
    containers: Iterable[Container], users: Collection[str], neighbours: Neighbours
) -> Container | None:
    """Return the first of the containers that is a sibling's, or of one of the same services."""
    for container in containers:
        if neighbours.has(container.project) or container.service in users:
            return container
    return None


def _by_resource(
    containers: Iterable[Container], stack: Stack
) -> dict[tuple[ResourceKind, str], list[Container]]:
    """Return the containers of other projects by each volume, network and image that they have."""
    having: dict[tuple[ResourceKind, str], list[Container]] = {}
    for container in containers:
        if container.project != stack.project:
            for resource in dict.fromkeys(_resources_of(container)):
                having.setdefault(resource, []).append(container)
    return having


def _resources_of(container: Container) -> Iterator[tuple[ResourceKind, str]]:
    for name in container.volumes:
        yield "volume", name
    for name in container.networks:
        yield "network", name
    yield "image", container.image
    yield "image", container.image.removesuffix(":latest")


def subnets_taken(stack: Stack, networks: Sequence[NetworkInUse]) -> Iterator[SharedResource]:
    """Yield the subnets that the engine does not give, because another network has a part of them.

    A network that exists already is not created, whatever its subnet.
    """
    existing = {network.name for network in networks}
    for key, network in stack.networks.items():
        if network.external or network.has_own_ipam or network.name in existing:
            continue
        for subnet in network.subnets:
            other = _overlapping(subnet, networks)
            if other:
                yield fixed_subnet(stack, key, other)
                break


def fixed_subnet(stack: Stack, key: str, other: NetworkInUse | None = None) -> SharedResource:
    """Return the subnets of a network as one resource. `other` is the network that has them."""
    name = subnets_of(stack, key)
    fixed = [service.name for service in _active(stack) if key in service.fixed_addresses]
    project, network = ("", "") if other is None else (other.project, other.name)
    return SharedResource("subnet", key, name, tuple(fixed), project, network=network)


def resource_of(kind: SharedKind, key: str, name: str, stack: Stack) -> SharedResource:
    """Return what moved in an earlier run, without the other stack."""
    if kind == "subnet":
        return fixed_subnet(stack, key)
    return SharedResource(kind, key, name, (), instead=_own_name(kind, key, stack))


def own_image(stack: Stack, service: str) -> str:
    """Return the image name that Compose gives to a built service without `image:`."""
    return f"{stack.project}-{service}"


def subnets_of(stack: Stack, key: str) -> str:
    """Return the subnets of a network as one text, empty for an external one."""
    network = stack.networks[key]
    if network.external:
        return ""
    return ", ".join(subnet.subnet for subnet in network.subnets)


def _overlapping(subnet: Subnet, networks: Sequence[NetworkInUse]) -> NetworkInUse | None:
    for other in networks:
        if any(theirs.overlaps(subnet) for theirs in other.subnets):
            return other
    return None
