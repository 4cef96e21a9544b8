"""What the kernel says about a port: the answer to a bind probe, and the sockets of its table."""

from __future__ import annotations

from enum import Enum

from dartsctl.records import field, record
from dartsctl.stack.bindings import ANY_IPV4, ANY_IPV6, Endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from dartsctl.stack.bindings import TransportProtocol

    State = Literal["listen", "bound", "connected", "closing"]
    """tcp: LISTEN; bound but not listening; ESTABLISHED and the like; TIME_WAIT and the like.

    udp sockets are `bound` or `connected`.
    """


class Probe(Enum):
    """The kernel's answer to the bind that the engine would do."""

    FREE = "free"
    IN_USE = "in use"
    NO_SUCH_ADDRESS = "no such address on this host"
    INVALID = "not an address that can be bound"
    UNSUPPORTED = "protocol not supported by this kernel"
    FORBIDDEN = "not ours to probe"
    """A privileged port and an unprivileged user. Whether the port is free is not known."""


@record
class Listener:
    """One socket that occupies a local address and port.

    `address` is normal (bindings.normal_address), so an IPv4-mapped listener is an IPv4 one.
    `v6only` is None where the table does not say; dual stack is then the safe reading. `pids` are
    the processes that have it open, lowest first; empty where they are not visible or not asked
    for. `peer` is the other end of a connection, where the table has it.
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

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.port, self.address, self.protocol)

    def overlaps(self, wanted: Endpoint) -> bool:
        """Return whether this socket's address meets the wanted one.

        The rule is "overlap" in engine-rules.md#host-sockets. Whether the socket also blocks is
        another question.
        """
        if self.protocol != wanted.protocol or self.port != wanted.port:
            return False
        if self.address == ANY_IPV6:
            return wanted.is_ipv6 or not self.v6only
        is_ipv6 = ":" in self.address
        if is_ipv6 != wanted.is_ipv6:
            # A connection that a dual-stack listener accepted on an IPv6 address still blocks the
            # wildcard of IPv4.
            return is_ipv6 and self.is_connection and self.v6only is False and wanted.is_wildcard
        return self.address in (wanted.address, ANY_IPV4) or wanted.is_wildcard

    @property
    def is_connection(self) -> bool:
        """Whether it has another end: it serves nobody, and its owner is not stopped for it."""
        return self.state in ("connected", "closing")

    @property
    def surely_blocks(self) -> bool:
        """Whether it blocks a bind for certain: LISTEN, and every udp socket.

        For the other tcp states SO_REUSEADDR decides, which the table does not show
        (engine-rules.md#host-sockets).
        """
        return self.state == "listen" or self.protocol == "udp"
