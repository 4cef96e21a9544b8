"""From `ports:` entries to port bindings: the host addresses that the engine binds for a stack.

The rules depend on the engine's version: engine-rules.md#what-is-bound,
engine-rules.md#no-userland-proxy, engine-rules.md#networks, engine-rules.md#one-implementation.
"""

from __future__ import annotations

from dartsctl.records import record, replace
from dartsctl.stack import blocks
from dartsctl.stack.bindings import ANY_IPV4, ANY_IPV6, PortBinding, normal_address
from dartsctl.stack.model import Network, PortEntry, Service, Stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dartsctl.stack.engine_rules import EngineRules


@record
class Unbound:
    """An entry for which nothing fixed is bound on this host, and the reason."""

    service: str
    entry: PortEntry
    reason: str


@record
class StackBindings:
    """The bindings of a stack, one for each replica, and the entries that bind nothing."""

    bindings: tuple[PortBinding, ...]
    unbound: tuple[Unbound, ...]
    uncertain: dict[str, str]
    """Services whose networks make the engine's choice unpredictable, with the reason."""


def stack_bindings(stack: Stack, engine: EngineRules) -> StackBindings:
    """Return every binding that `up` asks `engine` for, and every entry that binds nothing.

    Replicas are numbered from 1.
    """
    bindings: list[PortBinding] = []
    unbound: list[Unbound] = []
    uncertain: dict[str, str] = {}
    for service in stack.services.values():
        if not service.ports:
            continue
        gateway, doubt = _gateway(service, stack, engine)
        if doubt:
            uncertain[service.name] = doubt
        bound, without = _split_entries(service, stack, gateway, engine)
        unbound += without
        if bound:
            bindings += _of_every_replica(_bindings(service.name, bound, engine), service)
    return StackBindings(tuple(bindings), tuple(unbound), uncertain)


def _split_entries(
    service: Service, stack: Stack, gateway: Network, engine: EngineRules
) -> tuple[list[tuple[PortEntry, tuple[str, ...]]], list[Unbound]]:
    """Return the entries that bind something, with their addresses, and those that bind nothing."""
    nothing_published = _reason_for_nothing(service, stack)
    bound: list[tuple[PortEntry, tuple[str, ...]]] = []
    unbound: list[Unbound] = []
    known: dict[str, tuple[str, ...]] = {}
    for entry in blocks.fold(service.ports):
        reason = nothing_published
        if not reason and entry.is_ephemeral:
            reason = "ephemeral: the engine picks a free number"
        elif not reason:
            if entry.host_ip not in known:
                known[entry.host_ip] = _addresses(entry.host_ip, gateway, engine)
            if not known[entry.host_ip]:
                reason = "the network publishes no such address"
        if reason:
            unbound.append(Unbound(service.name, entry, reason))
        else:
            bound.append((entry, known[entry.host_ip]))
    return bound, unbound


def _reason_for_nothing(service: Service, stack: Stack) -> str:
    """Return why the service publishes no port at all; empty if it may publish some."""
    if service.replicas == 0:
        return "scaled to 0"
    if service.network_mode in ("host", "none"):
        return f"network_mode {service.network_mode}: the engine discards published ports"
    if service.network_mode.startswith(("service:", "container:")):
        return f"network_mode {service.network_mode}: the engine refuses `ports` beside it"
    networks = [stack.networks[key] for key in service.networks if key in stack.networks]
    if networks and all(network.internal for network in networks):
        return "only internal networks: nothing is published"
    if networks and not any(network.publishes for network in networks):
        return f"only {networks[0].driver} networks: nothing is published"
    return ""


def _gateway(service: Service, stack: Stack, engine: EngineRules) -> tuple[Network, str]:
    """Return the network whose options decide, and why that choice may be wrong.

    It is the one with the highest gw_priority, then with the first name
    (engine-rules.md#networks).
    """
    if service.network_mode:
        return Network("bridge", host_binding_ipv4=engine.default_address), ""
    keys = [key for key in service.networks if key in stack.networks]
    keys.sort(key=lambda key: (-service.networks[key], stack.networks[key].name))
    networks = [stack.networks[key] for key in keys]
    usable = [network for network in networks if network.publishes]
    if not usable:
        return Network("default"), ""
    return usable[0], _doubt_about_gateway(networks, usable)


def _doubt_about_gateway(networks: Sequence[Network], usable: Sequence[Network]) -> str:
    if any(not network.internal and not network.publishes for network in networks):
        return (
            "a macvlan or ipvlan network beside a bridge: "
            "whether anything is published depends on their order"
        )
    if len(set(map(_binding_options, usable))) > 1:
        return "its networks differ in how they bind: which one is the gateway decides"
    return ""


def _binding_options(network: Network) -> tuple[object, ...]:
    return (
        network.ipv4,
        network.ipv6,
        network.host_binding_ipv4,
        network.gateway_mode_ipv4,
        network.gateway_mode_ipv6,
    )


def _addresses(host_ip: str, network: Network, engine: EngineRules) -> tuple[str, ...]:
    """Return the host addresses that entries with `host_ip` bind."""
    wanted = _wanted_addresses(host_ip, network, engine)
    return tuple(address for address in wanted if _is_bound(address, network, engine))


def _wanted_addresses(host_ip: str, network: Network, engine: EngineRules) -> tuple[str, ...]:
    # The engine ignores an address with a zone and binds every address (engine-rules.md#networks).
    if host_ip and "%" not in host_ip:
        return (normal_address(host_ip),)
    default = network.host_binding_ipv4 or engine.default_address
    if default == ANY_IPV6 and not engine.has_ipv6:
        return ()
    if default and default != ANY_IPV4:
        return (default,)
    return (ANY_IPV4, ANY_IPV6) if engine.has_ipv6 else (ANY_IPV4,)


def _is_bound(address: str, network: Network, engine: EngineRules) -> bool:
    if ":" not in address:
        is_off = not network.ipv4 or network.gateway_mode_ipv4 == "routed"
        return not (engine.honours_gateway_modes and is_off)
    if not network.ipv6:
        return engine.userland_proxy
    return not (engine.honours_gateway_modes and network.gateway_mode_ipv6 == "routed")


def _bindings(
    service: str, bound: Sequence[tuple[PortEntry, tuple[str, ...]]], engine: EngineRules
) -> list[PortBinding]:
    """Return one binding of the first replica for each piece that the engine allocates at once.

    Since 27 all entries that differ only in the address share one number. Before, every entry is
    separate, and the addresses of a range are too: each has its own cursor.
    """
    entries = [_binding(service, entry, addresses) for entry, addresses in bound]
    edges = blocks.edges(entry for entry in entries if not entry.is_range)
    are_joined = engine.walks_ranges
    groups: dict[object, tuple[PortBinding, list[str]]] = {}
    for position, entry in enumerate(entries):
        for piece in blocks.cut(entry, edges):
            numbers = piece.target, piece.protocol, piece.first, piece.last, piece.is_block
            for together in _allocated_together(piece, engine):
                group: object = numbers
                if not are_joined:
                    group = numbers, position, together
                _, addresses = groups.setdefault(group, (piece, []))
                addresses += together
    return [_with_addresses(piece, tuple(addresses)) for piece, addresses in groups.values()]


def _allocated_together(piece: PortBinding, engine: EngineRules) -> Sequence[tuple[str, ...]]:
    """The addresses for which the engine looks for a number at once."""
    if piece.is_range and not engine.walks_ranges:
        return [(address,) for address in piece.addresses]
    return (piece.addresses,)


def _of_every_replica(first: Sequence[PortBinding], service: Service) -> Iterator[PortBinding]:
    """Yield the bindings of a service's first replica, and the same ones of the others."""
    yield from first
    for replica in range(2, service.replicas + 1):
        for binding in first:
            yield replace(binding, replica=replica)


def _with_addresses(piece: PortBinding, addresses: tuple[str, ...]) -> PortBinding:
    if piece.addresses == addresses:  # nearly always
        return piece
    return replace(piece, addresses=addresses)


def _binding(service: str, entry: PortEntry, addresses: tuple[str, ...]) -> PortBinding:
    first, last = entry.span
    return PortBinding(
        service=service,
        replica=1,
        target=entry.target,
        protocol=entry.protocol,
        first=first,
        last=last,
        addresses=addresses,
        is_block=entry.count > 1,
    )
