"""What the kernel says of a port: the answer to a bind probe, and the sockets of its table."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from dartsctl.stack.bindings import ANY_IPV4, ANY_IPV6, Endpoint, TransportProtocol

State = Literal["listen", "bound", "connected", "closing"]
"""tcp: LISTEN; bound but not listening; ESTABLISHED and its like; TIME_WAIT and its like. udp sockets are `bound` or `connected`."""


class Probe(Enum):
    """The answer of the kernel to the very bind that the engine would do."""

    FREE = "free"
    IN_USE = "in use"
    NO_SUCH_ADDRESS = "no such address on this host"
    INVALID = "not an address that can be bound"
    UNSUPPORTED = "protocol not supported by this kernel"
    FORBIDDEN = "not ours to probe"
    """A privileged port and an unprivileged user: says nothing about whether the port is free."""


@dataclass(frozen=True, slots=True)
class Listener:
    """One socket that occupies a local address and port.

    `address` is normal (bindings.normal_address), so an IPv4-mapped listener is an IPv4 one.
    `v6only` is None where the table does not tell (then the safe reading is dual stack).
    `pids` are the processes that have it open, lowest first; empty where they are not visible or not looked for.
    """

    protocol: TransportProtocol
    address: str
    port: int
    state: State
    v6only: bool | None = None
    inode: int = 0
    uid: int | None = None
    pids: tuple[int, ...] = ()
    peer: Endpoint | None = field(default=None, compare=False)
    """The other end of a connection, where the table names it."""

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.port, self.address, self.protocol)

    def overlaps(self, wanted: Endpoint) -> bool:
        """Whether this socket's address meets the wanted one (engine-rules.md#host-sockets, "overlap"): whether it also blocks is another question."""
        if self.protocol != wanted.protocol or self.port != wanted.port:
            return False
        if self.address == ANY_IPV6:
            return wanted.is_ipv6 or not self.v6only
        if (":" in self.address) != wanted.is_ipv6:
            # a connection that a dual-stack listener accepted on an IPv6 address still stands in the way of every IPv4 address
            return (
                self.state in ("connected", "closing")
                and self.v6only is False
                and ":" in self.address
                and wanted.is_wildcard
            )
        return self.address in (wanted.address, ANY_IPV4) or wanted.is_wildcard

    @property
    def is_connection(self) -> bool:
        """Whether it has another end: nobody serves on such a socket, and its owner must not be stopped for it."""
        return self.state in ("connected", "closing")

    @property
    def surely_blocks(self) -> bool:
        """LISTEN and every udp socket block; for the other tcp states the table does not show SO_REUSEADDR, which decides (engine-rules.md#host-sockets)."""
        return self.state == "listen" or self.protocol == "udp"
