"""What is wrong with a short entry of `ports:`: `[ADDRESS:]HOST:CONTAINER[/PROTOCOL]`."""

from __future__ import annotations

import ipaddress

from dartsctl.records import record
from dartsctl.stack.bindings import HIGHEST_PORT
from dartsctl.text.numbers import parse_digits

_PROTOCOLS = ("tcp", "udp", "sctp")


@record
class PortFault:
    """The part that is wrong, as it is written, and what it is not: `a host port`."""

    part: str
    expected: str


def port_fault(entry: str) -> PortFault | None:
    """Return the first part of an entry that is wrong, None if Compose would take it."""
    ports, slash, protocol = entry.partition("/")
    address, host, container = _split(ports)
    checks = (
        (_is_range(container), container, "a container port"),
        (not host or _is_range(host), host, "a host port"),
        (not slash or protocol.lower() in _PROTOCOLS, protocol, "a protocol (tcp, udp or sctp)"),
        (not address or _is_address(address), address, "an IP address"),
    )
    for is_right, part, expected in checks:
        if not is_right:
            return PortFault(part, expected)
    if host and _size(container) not in (1, _size(host)):
        return PortFault(f"{host}:{container}", "a pair of ranges of one length")
    return None


def _split(ports: str) -> tuple[str, str, str]:
    """Return address, host port and container port. An IPv6 address has colons of its own."""
    rest, _, container = ports.rpartition(":")
    address, _, host = rest.rpartition(":")
    return address, host, container


def _is_range(text: str) -> bool:
    first, dash, last = text.partition("-")
    low = parse_digits(first, HIGHEST_PORT)
    high = parse_digits(last, HIGHEST_PORT) if dash else low
    return low is not None and high is not None and low <= high


def _size(text: str) -> int:
    first, _, last = text.partition("-")
    return int(last or first) - int(first) + 1


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
