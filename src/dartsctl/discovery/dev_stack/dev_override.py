"""The override file that gives a dev stack names, ports, volumes and networks of its own.

It lies over the dev stack's Compose files, or over production's where there are no others.
`!override` replaces a list, `!reset` removes a value; both need Compose 2.24.4.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from dartsctl.discovery.dev_stack.needed_services import dependents, names_host
from dartsctl.discovery.dev_stack.shared_with_production import published_by
from dartsctl.discovery.yaml_text import yaml_text
from dartsctl.ports.remapping import choose
from dartsctl.records import field, record, replace
from dartsctl.stack.model import PortEntry

if TYPE_CHECKING:
    from dartsctl.discovery.dev_stack.needed_services import DevServices
    from dartsctl.discovery.dev_stack.shared_with_production import Shared
    from dartsctl.stack.bindings import TransportProtocol
    from dartsctl.stack.model import Service, Stack

OVERRIDE_NAME = "compose.dartsctl.yaml"
HEADER = "# Written by `dartsctl init`"
LOOPBACK = "127.0.0.1"
_RESET = "!reset null"

IsFree = Callable[["TransportProtocol", int], bool]


@record
class Numbers:
    """Which host ports the dev stack may have.

    `kept` has the ones of an earlier override by service, container port and protocol.
    """

    reserved: Collection[int]
    """Production's ports, and the dev range."""
    is_free: IsFree
    kept: Mapping[tuple[str, int, str], int] = field(default_factory=dict)
    shift: int = 0
    """Added before a new number is chosen, so that two projects get different ones."""


def lacks_ports(dev: Stack, services: DevServices) -> tuple[str, ...]:
    """Return the services that a server on the host cannot reach, because no port is published."""
    return tuple(name for name in services.ports if _unpublished(dev, services, name))


def new_ports(
    dev: Stack, services: DevServices, shared: Shared, numbers: Numbers
) -> dict[str, tuple[PortEntry, ...]]:
    """Return the ports of every service whose ports have to be replaced.

    They are on this machine's loopback. A number that neither production nor the dev range has
    stays. New numbers are the same on every machine where they are free.
    """
    changed = {*shared.ports, *lacks_ports(dev, services)}
    taken = {number for _, number in published_by(dev)} | set(numbers.reserved)
    taken |= set(numbers.kept.values())
    ports: dict[str, tuple[PortEntry, ...]] = {}
    for name in sorted(changed):
        moved: dict[tuple[int, str, str], PortEntry] = {}
        for entry in dev.services[name].ports:
            key = (entry.target, entry.protocol, entry.published)
            if key not in moved:  # on another address before
                moved[key] = _on_loopback(entry, name, numbers, taken)
        for port in _unpublished(dev, services, name):
            entry = PortEntry(port, "tcp", str(port), LOOPBACK)
            moved[port, "tcp", ""] = _on_new_number(entry, name, numbers, taken)
        ports[name] = tuple(moved.values())
    return ports


def override_text(
    dev: Stack,
    services: DevServices,
    shared: Shared,
    ports: Mapping[str, tuple[PortEntry, ...]],
    *,
    over: str,
) -> str:
    """Return the text of the override file; `over` are the files that it lies over."""
    lines = [*_head(services, over), "services:"]
    volumes = _volumes_for_folders(shared)
    count = len(lines)
    for name, service in sorted(dev.services.items()):
        own = list(_service_lines(dev, service, services, shared))
        own += _port_lines(ports.get(name, ()))
        own += _mount_lines(name, volumes)
        if own:
            lines += [f"  {yaml_text(name)}:", *own]
    if len(lines) == count:
        lines.pop()
    lines += _top_level("volumes", shared.volumes, new=volumes.values())
    lines += _top_level("networks", [*shared.networks, *shared.subnets])
    return "\n".join(lines) + "\n"


def _head(services: DevServices, over: str) -> Iterator[str]:
    yield f"{HEADER}: what the dev stack has of its own, over {over}."
    yield "# It may be changed by hand: `dartsctl init` keeps its ports, and proposes an edit only"
    yield "# where dev shares something with production, or a server cannot reach a service."
    if not services.left_out:
        return
    yield "# Not started, each in a profile of its name:"
    for name, reason in services.left_out.items():
        yield f"#   {name}: {reason}"
    yield "# To start one too, with what it needs: `dartsctl dev up --profile NAME`, or"
    yield "# profiles in [dev] of the settings."


def _service_lines(
    dev: Stack, service: Service, services: DevServices, shared: Shared
) -> Iterator[str]:
    name = service.name
    if name in shared.images:
        yield f"    image: {_RESET}"
    if name in shared.names:
        yield f"    container_name: {_RESET}"
    if name in services.left_out:
        others = sorted(dependents(dev, name) & services.left_out.keys() - {name})
        yield f"    profiles: !override {json.dumps([name, *others])}"
    yield from _network_lines(dev, service, shared)


def _network_lines(dev: Stack, service: Service, shared: Shared) -> Iterator[str]:
    """Yield what changes of a service's networks: no fixed addresses, and its old name as an alias.

    Others may know it by its container name, which is a host name on its networks.
    """
    separated = {*shared.networks, *shared.subnets}
    others = (other for other in dev.services.values() if other is not service)
    has_alias = service.name in shared.names and any(
        names_host(other, service.container_name) for other in others
    )
    lines: list[str] = []
    for key in sorted(service.networks):
        own: list[str] = []
        if has_alias:
            own.append(f"aliases: {json.dumps([service.container_name])}")
        if key in separated and key in service.fixed_addresses:
            own += [f"{version}_address: {_RESET}" for version in ("ipv4", "ipv6")]
        if own:
            lines.append(f"      {yaml_text(key)}: {{{', '.join(own)}}}")
    if lines and not service.network_mode:
        yield "    networks:"
        yield from lines


def _port_lines(entries: Iterable[PortEntry]) -> Iterator[str]:
    entries = tuple(entries)
    if entries:
        yield "    ports: !override"
    for entry in entries:
        yield f"      - {json.dumps(_short_form(entry))}"


def _short_form(entry: PortEntry) -> str:
    suffix = "/udp" if entry.protocol == "udp" else ""
    return f"{entry.host_ip}:{entry.published}:{entry.target}{suffix}"


def _mount_lines(name: str, volumes: Mapping[tuple[str, str], str]) -> Iterator[str]:
    own = {target: volume for (service, target), volume in volumes.items() if service == name}
    if own:
        yield "    volumes:"
    for target, volume in own.items():
        yield f"      - {json.dumps({'type': 'volume', 'source': volume, 'target': target})}"


def _volumes_for_folders(shared: Shared) -> dict[tuple[str, str], str]:
    """Return a new volume for each data folder that production has too: service, target -> key."""
    keys: dict[tuple[str, str], str] = {}
    for service, mount in shared.folders:
        number = sum(1 for other, _ in keys if other == service)
        keys[service, mount.target] = f"{service}-data{number or ''}"
    return keys


def _top_level(kind: str, keys: Iterable[str], new: Iterable[str] = ()) -> Iterator[str]:
    keys = sorted(set(keys))
    new = sorted(new)
    if keys or new:
        yield f"{kind}:"
    ipam = f", ipam: {_RESET}" if kind == "networks" else ""
    for key in keys:
        yield f"  {yaml_text(key)}: {{name: {_RESET}, external: {_RESET}{ipam}}}"
    for key in new:
        yield f"  {yaml_text(key)}: {{}}"


def _unpublished(dev: Stack, services: DevServices, name: str) -> list[int]:
    service = dev.services[name]
    if service.network_mode == "host":
        return []
    published = {entry.target for entry in service.ports if entry.protocol == "tcp"}
    return [port for port in services.ports.get(name, ()) if port not in published]


def _on_loopback(entry: PortEntry, service: str, numbers: Numbers, taken: set[int]) -> PortEntry:
    """Return the entry on loopback, on its own number if production does not have it."""
    if entry.is_ephemeral:
        return replace(entry, host_ip=LOOPBACK, published="")
    first, last = entry.span
    if first == last and first not in numbers.reserved:
        return replace(entry, host_ip=LOOPBACK)
    return _on_new_number(entry, service, numbers, taken)


def _on_new_number(entry: PortEntry, service: str, numbers: Numbers, taken: set[int]) -> PortEntry:
    """Return the entry on loopback, on another number; ephemeral where none is left."""
    number = numbers.kept.get((service, entry.target, entry.protocol))
    if number is None or number in numbers.reserved:
        number = choose(
            entry.span[0] + numbers.shift,
            is_free=lambda port: numbers.is_free(entry.protocol, port),
            avoid=taken,
        )
    if number is None:
        return replace(entry, host_ip=LOOPBACK, published="")
    taken.add(number)
    return replace(entry, host_ip=LOOPBACK, published=str(number))
