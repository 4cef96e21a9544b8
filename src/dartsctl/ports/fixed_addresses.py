"""Fixed container addresses (`ipv4_address`, `ipv6_address`): whether the engine can give them.

Source: engine-rules.md#fixed-addresses.
"""

from __future__ import annotations

from dartsctl.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, Literal

    from dartsctl.stack.containers import Container
    from dartsctl.stack.convergence import Convergence
    from dartsctl.stack.model import Network, Service, Stack
    from dartsctl.stack.subnets import NetworkUse, Subnet

    AddressReason = Literal["container", "same-stack", "reserved", "outside"]


KEEP_FREE = (
    "to keep fixed addresses free, set `ip_range` in the network's `ipam` config to a part without"
    " them: the engine gives out only those"
)


@record
class AddressTaken:
    """A fixed address that a service cannot have. `why` says the reason in words."""

    service: str
    network: str
    address: str
    reason: AddressReason
    why: str
    container: Container | None = None

    @property
    def sentence(self) -> str:
        wanted = f"{self.service} cannot have the address {self.address} on {self.network}"
        return f"{wanted}: {self.why}"

    @property
    def line(self) -> str:
        """The sentence, with advice where it helps."""
        return f"{self.sentence}; {KEEP_FREE}" if self.reason == "container" else self.sentence

    def document(self) -> dict[str, Any]:
        return {
            "kind": "address",
            "wanted_by": self.service,
            "network": self.network,
            "address": self.address,
            "reason": self.reason,
            "message": self.why,
        }


@record
class _Wish:
    """One fixed address of one service."""

    service: Service
    network: Network
    address: str

    def taken(
        self, reason: AddressReason, why: str, container: Container | None = None
    ) -> AddressTaken:
        name, network = self.service.name, self.network.name
        return AddressTaken(name, network, self.address, reason, why, container)


def _wishes(stack: Stack) -> list[_Wish]:
    """Return the fixed addresses that the engine's own IPAM has to give."""
    wishes = []
    for service in stack.services.values():
        for key, addresses in service.fixed_addresses.items():
            network = stack.networks.get(key)
            if network and service.replicas and not network.has_own_ipam:
                wishes += [_Wish(service, network, address) for address in addresses]
    return wishes


def networks_of_interest(stack: Stack) -> frozenset[str]:
    """Return the networks on which a service wants a fixed address, by the engine's names."""
    return frozenset(wish.network.name for wish in _wishes(stack))


def taken_addresses(
    stack: Stack,
    uses: Mapping[str, NetworkUse],
    containers: Sequence[Container],
    convergence: Convergence,
) -> Iterator[AddressTaken]:
    """Yield the fixed addresses that a service surely cannot have.

    `uses` are the existing networks by name. A network whose subnets differ from the files' own is
    made anew by Compose: then only the files count.
    """
    released = {container.id for container in convergence.released}
    by_id = {container.id: container for container in containers}
    first_of: dict[tuple[str, str], _Wish] = {}
    for wish in _wishes(stack):
        use = _current_use(wish.network, uses)
        if wish.service.replicas > 1:
            yield wish.taken("same-stack", f"{wish.service.replicas} replicas cannot share it")
        first = first_of.setdefault((wish.network.name, wish.address), wish)
        if first is not wish:
            yield wish.taken("same-stack", f"service {first.service.name} has the same one")
        if problem := _problem_of_subnets(wish, use):
            yield problem
        else:
            holder = _holder(wish, use, by_id, stack)
            if holder and holder.id not in released:
                yield _held(wish, holder, stack)


def held_now(
    stack: Stack, uses: Mapping[str, NetworkUse], containers: Sequence[Container]
) -> Iterator[AddressTaken]:
    """Yield the fixed addresses that another container has at this moment."""
    by_id = {container.id: container for container in containers}
    for wish in _wishes(stack):
        holder = _holder(wish, uses.get(wish.network.name), by_id, stack)
        if holder:
            yield _held(wish, holder, stack)


def _current_use(network: Network, uses: Mapping[str, NetworkUse]) -> NetworkUse | None:
    use = uses.get(network.name)
    if use is None or network.external:
        return use
    theirs = {subnet.network for subnet in use.subnets}
    return use if {subnet.network for subnet in network.subnets} <= theirs else None


def _holder(
    wish: _Wish, use: NetworkUse | None, by_id: Mapping[str, Container], stack: Stack
) -> Container | None:
    """Return the container that has the address, unless it is the service's own."""
    identity = use.addresses.get(wish.address) if use else None
    container = by_id.get(identity or "")
    if container is None:
        return None
    is_own = container.belongs_to(stack.project) and container.service == wish.service.name
    return None if is_own else container


def _held(wish: _Wish, holder: Container, stack: Stack) -> AddressTaken:
    who = f"container {holder.name}"
    if holder.project and holder.project != stack.project:
        who += f" of project {holder.project}"
    return wish.taken("container", f"{who} has it", holder)


def _problem_of_subnets(wish: _Wish, use: NetworkUse | None) -> AddressTaken | None:
    """Return why no container at all can have the address."""
    network = wish.network
    if not network.subnets and not network.external:
        why = "the network has no subnet in its `ipam` config, and only such a one allows it"
        return wish.taken("outside", why)
    subnets = use.subnets if use else network.subnets
    if not subnets or any(subnet.network is None for subnet in subnets):
        return None
    inside = [subnet for subnet in subnets if subnet.includes(wish.address)]
    if not inside:
        listed = ", ".join(subnet.subnet for subnet in subnets)
        return wish.taken("outside", f"it is outside of the network's subnet {listed}")
    why = _reserved_as(wish.address, inside[0], network)
    return wish.taken("reserved", f"it is {why}") if why else None


def _reserved_as(address: str, subnet: Subnet, network: Network) -> str:
    """Return what the engine keeps the address for, empty if for nothing that is known.

    Without `gateway` and `ip_range` the first address of an IPv4 bridge is its gateway.
    """
    uses = {reserved: f"reserved for {name}" for name, reserved in subnet.reserved.items()}
    pool = subnet.network
    if pool is not None and pool.version == 4 and pool.num_addresses >= 4:
        uses[str(pool.network_address)] = "the address of the subnet itself"
        uses[str(pool.broadcast_address)] = "the subnet's broadcast address"
        is_plain = network.driver == "bridge" and not network.internal and not network.external
        if is_plain and not subnet.gateway and not subnet.ip_range:
            uses[str(pool.network_address + 1)] = "the network's gateway"
    uses[subnet.gateway] = "the network's gateway"
    return uses.get(address, "")


@record
class AddressRace:
    """A fixed address that the engine may give to a service without one, if that starts first."""

    service: str
    address: str
    network: str
    others: tuple[str, ...]


def races(stack: Stack) -> Iterator[AddressRace]:
    """Yield the fixed addresses that lie where the engine takes dynamic ones from."""
    dynamic: dict[tuple[str, bool], tuple[str, ...]] = {}
    for wish in _wishes(stack):
        family = wish.network.name, ":" in wish.address
        if family not in dynamic:
            dynamic[family] = tuple(_with_dynamic_address(wish, stack))
        others = dynamic[family]
        pools = [subnet for subnet in wish.network.subnets if subnet.gives_out(wish.address)]
        if pools and others and not _problem_of_subnets(wish, None):
            yield AddressRace(wish.service.name, wish.address, wish.network.name, others)


def _with_dynamic_address(wish: _Wish, stack: Stack) -> Iterator[str]:
    """Yield the services on the wish's network without a fixed address of its family there."""
    name, is_ipv6 = wish.network.name, ":" in wish.address
    keys = [key for key, network in stack.networks.items() if network.name == name]
    for service in stack.services.values():
        own = [key for key in service.networks if key in keys]
        if not own or not service.replicas:
            continue
        fixed = service.fixed_addresses.get(own[0], ())
        if not any((":" in address) == is_ipv6 for address in fixed):
            yield service.name
