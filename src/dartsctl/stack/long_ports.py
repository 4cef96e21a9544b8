"""Long entries of `ports:` that Compose takes, and no engine: it checks only the short form."""

from __future__ import annotations

from dartsctl.records import record
from dartsctl.stack.bindings import HIGHEST_PORT
from dartsctl.text.numbers import parse_digits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any


@record
class WrongPort:
    """A value of a service's `ports`, and what is expected there."""

    service: str
    key: str
    value: str
    expected: str


def wrong_port(model: Mapping[str, Any]) -> WrongPort | None:
    """Return the first value in Compose's resolved model that the engine refuses."""
    return next(_wrong_ports(model), None)


def _wrong_ports(model: Mapping[str, Any]) -> Iterator[WrongPort]:
    services = model.get("services")
    for name, body in services.items() if isinstance(services, dict) else ():
        entries = body.get("ports") if isinstance(body, dict) else None
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                yield from _faults(name, entry)


def _faults(service: str, entry: Mapping[str, Any]) -> Iterator[WrongPort]:
    published, protocol = entry.get("published"), entry.get("protocol")
    if isinstance(published, str) and published and not _is_range(published):
        yield WrongPort(service, "published", published, "a port number or a range")
    if isinstance(protocol, str) and protocol not in ("tcp", "udp", "sctp"):
        yield WrongPort(service, "protocol", protocol, "a protocol (tcp, udp or sctp)")


def _is_range(text: str) -> bool:
    first, dash, last = text.partition("-")
    low = parse_digits(first, HIGHEST_PORT)
    high = parse_digits(last, HIGHEST_PORT) if dash else low
    return low is not None and high is not None and low <= high
