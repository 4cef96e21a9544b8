"""Who owns which port of this host: the production allocation and the dev range."""

from __future__ import annotations

from dartsctl.errors import Advice, UsageError
from dartsctl.records import field, record
from dartsctl.stack.bindings import HIGHEST_PORT
from dartsctl.text.numbers import parse_digits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
"""The default list: the darts server's. `[ports.production]` replaces it."""

_DEFAULT_LIST = "dartsctl's default list"


@record
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


@record
class Allocation:
    """Production's ports.

    `owners` maps a port to the service that owns it. The service is empty for a port of the default
    list: nobody has said that this project has such a service.
    """

    owners: Mapping[int, str]
    origins: Mapping[int, str] = field(default_factory=dict)
    """Where it is said: `dartsctl.toml:12`, `published by compose/prod.yml`."""

    @classmethod
    def of(
        cls, services: Mapping[str, Iterable[int]], origins: Mapping[str, str] | None = None
    ) -> Allocation:
        """Return the allocation of a table of the settings: service -> its ports.

        Of two services that name one port, the first has it. `origins`: the line of each service.
        """
        owners: dict[int, str] = {}
        places: dict[int, str] = {}
        for service, ports in services.items():
            for port in ports:
                owners.setdefault(port, service)
                places.setdefault(port, (origins or {}).get(service, ""))
        return cls(owners, places)

    @classmethod
    def default(cls) -> Allocation:
        """Return the default list."""
        numbers = [port for ports in PRODUCTION_PORTS.values() for port in ports]
        return cls(dict.fromkeys(numbers, ""))

    @property
    def is_default(self) -> bool:
        """Whether it is only the default list."""
        return bool(self.owners) and not any(self.owners.values())

    def united_with(self, published: Mapping[int, str], origin: str = "") -> Allocation:
        """Add what the production stack publishes, in the files `origin`.

        The owner's name in the settings wins.
        """
        owners, origins = dict(self.owners), dict(self.origins)
        for port, service in published.items():
            if not owners.get(port):
                owners[port] = service
                origins[port] = f"published by {origin}" if origin else ""
        return Allocation(owners, origins)

    def claim(self, port: int, *, plural: bool = False) -> str:
        """Return whose a production port is, and who says so, as half a sentence.

        `belongs to production's nginx (dartsctl.toml:12)`; `plural`: for a run of ports.
        """
        owner, origin = self.owners[port], self.origins.get(port, "")
        if not owner:
            return f"{'are' if plural else 'is'} reserved for production by {_DEFAULT_LIST}"
        place = f" ({origin})" if origin else ""
        return f"{'belong' if plural else 'belongs'} to production's {owner}{place}"

    def how_to_change(self, port: int) -> tuple[str, ...]:
        """Return the lines that replace the default list; nothing for a port that is not on it."""
        if self.owners[port]:
            return ()
        return (
            "to replace that list, write in dartsctl.toml:",
            "  [ports.production]",
            "  SERVICE = PORT",
        )


def by_service(published: Mapping[int, str], *, outside: PortRange) -> dict[str, list[int]]:
    """Return service -> its ports, as `[ports.production]` has them.

    Without those in the dev range, which the table must not have. A server never gets these
    either: dartsctl asks Compose what production publishes.
    """
    table: dict[str, list[int]] = {}
    for port, service in sorted(published.items()):
        if port not in outside:
            table.setdefault(service, []).append(port)
    return table


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
    refused = avoid | BROWSERS_REFUSE
    usable = [port for port in span.numbers if port not in refused]
    if not usable:
        return []
    turn = start % len(usable)
    order = usable[turn:] + usable[:turn]
    if preferred in usable:
        order.remove(preferred)
        order.insert(0, preferred)
    return order
