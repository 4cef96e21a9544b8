"""Endpoint and PortBinding: what a service asks the engine to bind on this host, and when two such wishes exclude each other."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, cast

TransportProtocol = Literal["tcp", "udp", "sctp"]

ANY_IPV4 = "0.0.0.0"  # noqa: S104 - a value that Compose files contain, nothing is bound here
ANY_IPV6 = "::"
HIGHEST_PORT = 65535


def normal_address(text: str) -> str:
    """The one spelling of an IP address: no brackets, compressed IPv6, IPv4-mapped IPv6 as IPv4 (as the engine does).

    Raises ValueError when `text` is not an address (a zone such as `fe80::1%eth0` included).
    """
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        if ":" not in bare:
            return socket.inet_ntop(socket.AF_INET, socket.inet_pton(socket.AF_INET, bare))
        packed = socket.inet_pton(socket.AF_INET6, bare)
    except OSError as error:
        raise ValueError(f"{text!r} is not an IP address") from error
    if packed.startswith(b"\0" * 10 + b"\xff\xff"):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return socket.inet_ntop(socket.AF_INET6, packed)


def parse_protocol(text: str) -> TransportProtocol:
    """`text` as a protocol; raises ValueError for anything else than tcp, udp and sctp."""
    if text not in ("tcp", "udp", "sctp"):
        raise ValueError(f"{text!r} is not a protocol")
    return cast(TransportProtocol, text)


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """One host address, port and protocol: what one `bind` call of the engine names."""

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
        """Whether two containers cannot both publish these (engine-rules.md#other-containers): same protocol, port and family, and one address covers the other."""
        return (
            self.port == other.port
            and self.protocol == other.protocol
            and self.is_ipv6 == other.is_ipv6
            and (self.address == other.address or self.is_wildcard or other.is_wildcard)
        )

    def __str__(self) -> str:
        host = f"[{self.address}]" if self.is_ipv6 else self.address
        return f"{host}:{self.port}/{self.protocol}"


@dataclass(frozen=True, slots=True, order=True)
class PortBinding:
    """What one replica of a service asks for in one piece: one number out of `first`..`last`, free on all `addresses`.

    A fixed port has `first == last`. `target` is the port inside the container.
    With `is_block`, every number of `first`..`last` is bound, and `target` belongs to `first`: the next number leads to the next port.
    """

    service: str
    replica: int
    target: int
    protocol: TransportProtocol
    first: int
    last: int
    addresses: tuple[str, ...]
    is_block: bool = False

    @property
    def is_range(self) -> bool:
        """Whether the engine picks the number."""
        return self.first != self.last and not self.is_block

    @property
    def count(self) -> int:
        """How many numbers it binds."""
        return self.last - self.first + 1 if self.is_block else 1

    @property
    def numbers(self) -> range:
        return range(self.first, self.last + 1)

    @property
    def published(self) -> str:
        """As a Compose file writes it: `5000` or `5000-5009`."""
        return f"{self.first}-{self.last}" if self.first != self.last else str(self.first)

    @property
    def targets(self) -> str:
        """The ports inside the container, written the same way."""
        return (
            f"{self.target}-{self.target + self.count - 1}" if self.count > 1 else str(self.target)
        )

    def part(self, first: int, last: int) -> PortBinding:
        """The numbers `first`..`last` of a block."""
        return replace(
            self,
            first=first,
            last=last,
            target=self.target + first - self.first,
            is_block=first != last,
        )

    def singles(self) -> Iterator[PortBinding]:
        """A block's numbers one by one; anything else is one piece already."""
        if self.is_block:
            yield from (self.part(port, port) for port in self.numbers)
        else:
            yield self

    def endpoints(self, port: int) -> tuple[Endpoint, ...]:
        """What is bound when the engine settles on `port`."""
        return tuple(Endpoint(port, address, self.protocol) for address in self.addresses)

    def may_exclude(self, other: PortBinding) -> bool:
        """Whether some number that both may take would exclude the other: same protocol, ranges that meet, addresses that meet."""
        if self.protocol != other.protocol or self.first > other.last or other.first > self.last:
            return False
        shared = max(self.first, other.first)
        return any(
            mine.excludes(theirs)
            for mine in self.endpoints(shared)
            for theirs in other.endpoints(shared)
        )
