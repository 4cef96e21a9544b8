"""What containers on the host's network bind by themselves, as far as their files say it."""

from __future__ import annotations

from dartsctl.records import record
from dartsctl.stack import blocks
from dartsctl.stack.bindings import ANY_IPV4, Endpoint, PortBinding
from dartsctl.stack.model import PortEntry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dartsctl.stack.bindings import TransportProtocol
    from dartsctl.stack.model import Service, Stack

_MOST_PORTS = 4096
"""Ports of one service that are looked at. Nobody listens on more."""


@record
class HostBindings:
    """The ports of the host that a stack's containers bind without the engine."""

    listened: tuple[PortBinding, ...]
    """On these addresses, as a configuration of nginx says."""
    exposed: tuple[PortBinding, ...]
    """Only their numbers are known, from `expose`. Most programs listen on every IPv4 address."""


def host_bindings(stack: Stack) -> HostBindings:
    """Return what the services of a stack bind on the host's network."""
    listened: list[PortBinding] = []
    exposed: list[PortBinding] = []
    for service in stack.services.values():
        if service.network_mode != "host" or not service.replicas:
            continue
        known = _listened(service.listens)
        said = {(endpoint.protocol, endpoint.port) for endpoint in known}
        unsaid = [
            endpoint
            for endpoint in _endpoints(service.exposed)
            if (endpoint.protocol, endpoint.port) not in said
        ]
        listened += _bindings(service, known)
        exposed += _bindings(service, dict.fromkeys(unsaid))
    return HostBindings(tuple(listened), tuple(exposed))


def _listened(entries: Iterable[PortEntry]) -> dict[Endpoint, None]:
    """Return the endpoints without those that a wildcard covers: nginx binds only that."""
    endpoints = dict.fromkeys(_endpoints(entries))
    wildcards = {endpoint for endpoint in endpoints if endpoint.is_wildcard}
    for endpoint in list(endpoints):
        if endpoint not in wildcards and any(map(endpoint.excludes, wildcards)):
            del endpoints[endpoint]
    return endpoints


def _endpoints(entries: Iterable[PortEntry]) -> Iterator[Endpoint]:
    left = iter(range(_MOST_PORTS))
    for entry in entries:
        for port in entry.numbers:
            if next(left, None) is None:
                return
            yield Endpoint(port, entry.host_ip or ANY_IPV4, entry.protocol)


def _bindings(service: Service, endpoints: Iterable[Endpoint]) -> Iterator[PortBinding]:
    """Yield one binding for each port, or for each long run of them.

    Replicas are not counted: whether two of them can share a port is the program's matter.
    """
    groups: dict[tuple[TransportProtocol, str], list[PortEntry]] = {}
    for endpoint in sorted(endpoints):
        entry = PortEntry(endpoint.port, endpoint.protocol, str(endpoint.port), endpoint.address)
        groups.setdefault((endpoint.protocol, endpoint.address), []).append(entry)
    for entries in groups.values():
        for entry in blocks.fold(entries):
            first, last = entry.span
            yield PortBinding(
                service=service.name,
                replica=1,
                target=entry.target,
                protocol=entry.protocol,
                first=first,
                last=last,
                addresses=(entry.host_ip,),
                is_block=entry.count > 1,
                on_host=True,
            )
