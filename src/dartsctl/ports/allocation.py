"""Who owns which port of this host: the production allocation and the dev range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dartsctl.errors import Advice, UsageError
from dartsctl.stack.bindings import HIGHEST_PORT
from dartsctl.text.numbers import parse_digits

BROWSERS_REFUSE = frozenset({5060, 5061})
"""Numbers in the usual dev range on the WHATWG bad-port list: no browser opens them
(edge-cases.md#63)."""

PRODUCTION_PORTS: Mapping[str, tuple[int, ...]] = {
    "nginx": (80, 443),
    "darts-app": (5000,),
    "api-gateway": (8080,),
    "rabbitmq": (5672, 15672),
    "wso2is": (9443,),
    "postgres": (5432,),
}
"""The documented allocation of the darts server. `[ports.production]` replaces it."""


@dataclass(frozen=True, slots=True)
class PortRange:
    """The numbers `first`..`last`, both included."""

    first: int
    last: int

    def __contains__(self, port: object) -> bool:
        return isinstance(port, int) and self.first <= port <= self.last

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    @property
    def numbers(self) -> range:
        return range(self.first, self.last + 1)


DEV_RANGE = PortRange(5001, 5099)


@dataclass(frozen=True, slots=True)
class Allocation:
    """Production's ports. `owners` maps a port to the service that owns it."""

    owners: Mapping[int, str]

    @classmethod
    def of(cls, services: Mapping[str, Iterable[int]]) -> Allocation:
        """Return the allocation of a table of the settings: service -> its ports.

        Of two services that name one port, the first has it.
        """
        owners: dict[int, str] = {}
        for service, ports in services.items():
            for port in ports:
                owners.setdefault(port, service)
        return cls(owners)

    def united_with(self, published: Mapping[int, str]) -> Allocation:
        """Add what the production stack publishes. The documented owner's name wins."""
        return Allocation({**published, **self.owners})


def parse_port(text: str, *, source: str) -> int:
    """Return `text` as a port number 1-65535.

    Raises UsageError for anything else (edge-cases.md#86), naming `source`.
    """
    port = parse_digits(text.strip(), HIGHEST_PORT)
    if not port:
        raise UsageError(
            f"{source}: {text!r} is not a port number (1-65535)",
            hint=Advice("give a number such as 5007, or omit it"),
        )
    return port


def candidates(
    span: PortRange, *, preferred: int | None, start: int, avoid: frozenset[int]
) -> list[int]:
    """Return the dev range in the order in which leases are tried.

    The preferred number comes first, then the range from the offset `start` (any int) on, round to
    its beginning.
    """
    usable = [port for port in span.numbers if port not in avoid and port not in BROWSERS_REFUSE]
    if not usable:
        return []
    turn = start % len(usable)
    order = usable[turn:] + usable[:turn]
    if preferred in usable:
        order.remove(preferred)
        order.insert(0, preferred)
    return order
