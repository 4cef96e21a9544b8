"""Endpoint and PortBinding: what a service asks the engine to bind on this host.

Both say when two of them exclude each other.
"""

from __future__ import annotations

from itertools import product, starmap

from dartsctl.records import record, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Literal

    TransportProtocol = Literal["tcp", "udp", "sctp"]

ANY_IPV4 = "0.0.0.0"  # noqa: S104 - a value in Compose files; nothing is bound here
ANY_IPV6 = "::"
LOOPBACK_IPV4 = "127.0.0.1"
LOOPBACK_IPV6 = "::1"
HIGHEST_PORT = 65535

_PROTOCOLS: Mapping[str, TransportProtocol] = {"tcp": "tcp", "udp": "udp", "sctp": "sctp"}
_LOOPBACK_OF = {ANY_IPV4: LOOPBACK_IPV4, ANY_IPV6: LOOPBACK_IPV6}
"""The wildcards, each with the address at which this host reaches it."""


def normal_address(text: str) -> str:
    """Return the normal spelling of an IP address.

    Brackets are removed, IPv6 is compressed, and IPv4-mapped IPv6 becomes IPv4, as in the engine.

    Raises:
        ValueError: `text` is not an address; `fe80::1%eth0`, which has a zone, is not one either.
    """
    import _socket

    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        if ":" not in bare:
            return _socket.inet_ntop(_socket.AF_INET, _socket.inet_pton(_socket.AF_INET, bare))
        packed = _socket.inet_pton(_socket.AF_INET6, bare)
    except OSError as error:
        raise ValueError(f"{text!r} is not an IP address") from error
    if packed.startswith(b"\0" * 10 + b"\xff\xff"):
        return _socket.inet_ntop(_socket.AF_INET, packed[12:])
    return _socket.inet_ntop(_socket.AF_INET6, packed)


def reachable_address(address: str) -> str:
    """Return the address at which this host reaches a socket that is bound to `address`."""
    return _LOOPBACK_OF.get(address, address)


def bracketed(host: str) -> str:
    """Return a host as URLs and `HOST:PORT` texts write it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def parse_protocol(text: str) -> TransportProtocol:
    """Return `text` as a protocol. Raises ValueError for anything but tcp, udp and sctp."""
    if text not in _PROTOCOLS:
        raise ValueError(f"{text!r} is not a protocol")
    return _PROTOCOLS[text]


@record(order=True)
class Endpoint:
    """A host address, a port and a protocol: what one `bind` call of the engine names."""

    port: int
    address: str
    protocol: TransportProtocol = "tcp"

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.address

    @property
    def is_wildcard(self) -> bool:
        return self.address in (ANY_IPV4, ANY_IPV6)

    def excludes(self, other: Endpoint) -> bool:
        """Return whether two containers cannot both publish these endpoints.

        They exclude each other if protocol, port and address family are the same and one address
        covers the other (engine-rules.md#other-containers).
        """
        if self.port != other.port or self.protocol != other.protocol:
            return False
        return _have_one_in_common(self.address, other.address)

    def __str__(self) -> str:
        return f"{bracketed(self.address)}:{self.port}/{self.protocol}"


def _have_one_in_common(mine: str, theirs: str) -> bool:
    """Return whether two addresses are of one family, and one of them covers the other."""
    if mine == theirs:
        return True
    if (":" in mine) != (":" in theirs):
        return False
    return mine in _LOOPBACK_OF or theirs in _LOOPBACK_OF


@record(order=True)
class PortBinding:
    """What one replica of a service asks for at once.

    The engine binds one number of `first`..`last`, which must be free on all `addresses`. A fixed
    port has `first == last`. `target` is the port inside the container.

    A block (`is_block`) binds every number of `first`..`last`. Its `target` belongs to `first`;
    each further number leads to the next port inside the container.
    """

    service: str
    replica: int
    target: int
    protocol: TransportProtocol
    first: int
    last: int
    addresses: tuple[str, ...]
    is_block: bool = False
    on_host: bool = False
    """The container is on the host's network and binds it by itself: nothing is published."""

    @property
    def is_range(self) -> bool:
        """Whether the engine picks the number."""
        return self.first != self.last and not self.is_block

    @property
    def count(self) -> int:
        """How many numbers are bound."""
        return self.last - self.first + 1 if self.is_block else 1

    @property
    def numbers(self) -> range:
        return range(self.first, self.last + 1)

    @property
    def published(self) -> str:
        """The host port as a Compose file writes it: `5000` or `5000-5009`."""
        return format_ports(self.first, self.last)

    @property
    def targets(self) -> str:
        """The container port, written the same way."""
        return format_ports(self.target, self.target + self.count - 1)

    def part(self, first: int, last: int) -> PortBinding:
        """Return the numbers `first`..`last` of a block."""
        return replace(
            self,
            first=first,
            last=last,
            target=self.target + first - self.first,
            is_block=first != last,
        )

    def singles(self) -> Iterator[PortBinding]:
        """Yield each number of a block as a binding; anything else as it is."""
        if self.is_block:
            yield from (self.part(port, port) for port in self.numbers)
        else:
            yield self

    def endpoints(self, port: int) -> tuple[Endpoint, ...]:
        """Return what is bound if the engine picks `port`."""
        return tuple(Endpoint(port, address, self.protocol) for address in self.addresses)

    def may_exclude(self, other: PortBinding) -> bool:
        """Return whether some number that both may take would exclude the other binding."""
        if self.protocol != other.protocol or self.first > other.last or other.first > self.last:
            return False
        return any(starmap(_have_one_in_common, product(self.addresses, other.addresses)))


def format_ports(first: int, last: int) -> str:
    """Return a port or a range of ports as Compose files write it: `5000` or `5000-5009`."""
    return str(first) if first == last else f"{first}-{last}"
