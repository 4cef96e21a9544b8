"""From `ports:` entries to port bindings: which host addresses the engine will bind for a stack, and which entries bind nothing.

The rules are engine-rules.md#what-is-bound and engine-rules.md#no-userland-proxy, engine-rules.md#networks, engine-rules.md#one-implementation, by the engine's version.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dartsctl.stack import blocks
from dartsctl.stack.bindings import ANY_IPV4, ANY_IPV6, PortBinding, normal_address
from dartsctl.stack.engine_rules import EngineRules
from dartsctl.stack.model import Network, PortEntry, Service, Stack


@dataclass(frozen=True, slots=True)
class Unbound:
    """An entry for which nothing fixed is bound on this host, and why."""

    service: str
    entry: PortEntry
    reason: str


@dataclass(frozen=True, slots=True)
class Published:
    """`bindings` hold one item per replica. `doubtful` names services whose networks make the engine's choice unpredictable, with the reason."""

    bindings: tuple[PortBinding, ...]
    unbound: tuple[Unbound, ...]
    doubtful: dict[str, str]


def published(stack: Stack, engine: EngineRules) -> Published:
    """Every binding that `up` would ask `engine` for, replicas numbered from 1, and every entry that binds nothing."""
    bindings: list[PortBinding] = []
    unbound: list[Unbound] = []
    doubtful: dict[str, str] = {}
    for service in stack.services.values():
        if not service.ports:
            continue
        reason = _publishes_nothing(service, stack)
        gateway, doubt = _gateway(service, stack, engine)
        if doubt:
            doubtful[service.name] = doubt
        wanted: list[tuple[PortEntry, tuple[str, ...]]] = []
        for entry in blocks.fold(service.ports):
            addresses = (
                () if reason or entry.is_ephemeral else _addresses(entry.host_ip, gateway, engine)
            )
            if addresses:
                wanted.append((entry, addresses))
            else:
                why = reason or (
                    "ephemeral: the engine picks a free number"
                    if entry.is_ephemeral
                    else "the network publishes no such address"
                )
                unbound.append(Unbound(service.name, entry, why))
        for replica in range(1, service.replicas + 1):
            bindings += _grouped(service.name, replica, wanted, engine)
    return Published(tuple(bindings), tuple(unbound), doubtful)


def _publishes_nothing(service: Service, stack: Stack) -> str:
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
    """The network whose options decide (highest gw_priority, then name), and why that choice may be wrong (engine-rules.md#networks)."""
    if service.network_mode:
        return Network("bridge", host_binding_ipv4=engine.default_address), ""
    attached = [
        (-priority, stack.networks[key].name, stack.networks[key])
        for key, priority in service.networks.items()
        if key in stack.networks
    ]
    usable = sorted((item for item in attached if item[2].publishes), key=lambda item: item[:2])
    if not usable:
        return Network("default"), ""
    if any(not network.internal and not network.publishes for _, _, network in attached):
        return (
            usable[0][2],
            "a macvlan or ipvlan network beside a bridge: whether anything is published depends on their order",
        )
    first = usable[0][2]
    if any(_binding_options(network) != _binding_options(first) for _, _, network in usable[1:]):
        return first, "its networks differ in how they bind: which one is the gateway decides"
    return first, ""


def _binding_options(network: Network) -> tuple[object, ...]:
    return (
        network.ipv4,
        network.ipv6,
        network.host_binding_ipv4,
        network.gateway_mode_ipv4,
        network.gateway_mode_ipv6,
    )


def _addresses(host_ip: str, network: Network, engine: EngineRules) -> tuple[str, ...]:
    """The host addresses that one entry binds; empty where nothing is bound."""
    if "%" in host_ip:
        host_ip = (
            ""  # a zone: the engine silently reads it as "every address" (engine-rules.md#networks)
        )
    if host_ip:
        wanted: tuple[str, ...] = (normal_address(host_ip),)
    else:
        default = network.host_binding_ipv4 or engine.default_address
        wanted = (default,) if default and default != ANY_IPV4 else (ANY_IPV4, ANY_IPV6)
        if not engine.has_ipv6:
            wanted = tuple(address for address in wanted if address != ANY_IPV6)
    return tuple(address for address in wanted if _is_bound(address, network, engine))


def _is_bound(address: str, network: Network, engine: EngineRules) -> bool:
    if ":" not in address:
        return not (
            engine.honours_gateway_modes
            and (not network.ipv4 or network.gateway_mode_ipv4 == "routed")
        )
    if not engine.userland_proxy and not network.ipv6:
        return False
    return not (
        engine.honours_gateway_modes and network.ipv6 and network.gateway_mode_ipv6 == "routed"
    )


def _grouped(
    service: str, replica: int, wanted: list[tuple[PortEntry, tuple[str, ...]]], engine: EngineRules
) -> list[PortBinding]:
    """One binding per piece that the engine allocates at once: since 27 all entries that differ only in the address share one number;
    before, every entry stands alone, and of a range every address has a cursor of its own."""
    entries = [_binding(service, replica, entry, addresses) for entry, addresses in wanted]
    fixed = blocks.edges(binding for binding in entries if not binding.is_range)
    groups: dict[tuple[PortBinding, object], list[str]] = {}
    for position, entry in enumerate(entries):
        for piece in blocks.cut(entry, fixed):
            for address in entry.addresses:
                group = (
                    None
                    if engine.walks_ranges
                    else (position, address)
                    if piece.is_range
                    else position
                )
                groups.setdefault((replace(piece, addresses=()), group), []).append(address)
    return [replace(piece, addresses=tuple(addresses)) for (piece, _), addresses in groups.items()]


def _binding(
    service: str, replica: int, entry: PortEntry, addresses: tuple[str, ...]
) -> PortBinding:
    first, last = entry.span
    return PortBinding(
        service,
        replica,
        entry.target,
        entry.protocol,
        first,
        last,
        addresses,
        is_block=entry.count > 1,
    )
