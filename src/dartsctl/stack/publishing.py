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
    from collections.abc import Sequence

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
        nothing_published = _reason_for_nothing(service, stack)
        bound: list[tuple[PortEntry, tuple[str, ...]]] = []
        for entry in blocks.fold(service.ports):
            addresses, reason = _addresses(entry, gateway, engine)
            reason = nothing_published or reason
            if reason:
                unbound.append(Unbound(service.name, entry, reason))
            else:
                bound.append((entry, addresses))
        for replica in range(1, service.replicas + 1):
            bindings += _bindings(service.name, replica, bound, engine)
    return StackBindings(tuple(bindings), tuple(unbound), uncertain)


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


def _addresses(
    entry: PortEntry, network: Network, engine: EngineRules
) -> tuple[tuple[str, ...], str]:
    """Return the host addresses that an entry binds, or the reason why it binds none."""
    if entry.is_ephemeral:
        return (), "ephemeral: the engine picks a free number"
    wanted = _wanted_addresses(entry.host_ip, network, engine)
    addresses = tuple(address for address in wanted if _is_bound(address, network, engine))
    if not addresses:
        return (), "the network publishes no such address"
    return addresses, ""


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
    service: str,
    replica: int,
    bound: Sequence[tuple[PortEntry, tuple[str, ...]]],
    engine: EngineRules,
) -> list[PortBinding]:
    """Return one binding for each piece that the engine allocates at once.

    Since 27 all entries that differ only in the address share one number. Before, every entry is
    separate, and the addresses of a range are too: each has its own cursor.
    """
    entries = [_binding(service, replica, entry, addresses) for entry, addresses in bound]
    edges = blocks.edges(entry for entry in entries if not entry.is_range)
    groups: dict[tuple[PortBinding, object], list[str]] = {}
    for position, entry in enumerate(entries):
        for piece in blocks.cut(entry, edges):
            for address in entry.addresses:
                group: object = None
                if not engine.walks_ranges:
                    group = (position, address) if piece.is_range else position
                groups.setdefault((replace(piece, addresses=()), group), []).append(address)
    return [replace(piece, addresses=tuple(addresses)) for (piece, _), addresses in groups.items()]


def _binding(
    service: str, replica: int, entry: PortEntry, addresses: tuple[str, ...]
) -> PortBinding:
    first, last = entry.span
    return PortBinding(
        service=service,
        replica=replica,
        target=entry.target,
        protocol=entry.protocol,
        first=first,
        last=last,
        addresses=addresses,
        is_block=entry.count > 1,
    )
