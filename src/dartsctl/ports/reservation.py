"""Reservation: the ports that a `watch` reserves for its project while the stack is down."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from dartsctl.records import record
from dartsctl.stack.bindings import Endpoint, format_ports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.stack.bindings import TransportProtocol
    from dartsctl.stack.containers import Container


@record
class Reservation:
    """What one `watch --reserve` has.

    `process` is the pid of the process that holds the sockets, a child of the watch. `usable` are
    those of the `endpoints` that the project gets as soon as it asks: nobody else is there.
    """

    project: str
    watch: int
    process: int
    endpoints: frozenset[Endpoint] = frozenset()
    usable: frozenset[Endpoint] = frozenset()
    answers: bool = True
    """Whether the process answers. If not, only its sockets say what it has."""

    @property
    def evidence(self) -> str:
        """`reserved by dartsctl watch (pid 7)`."""
        return f"reserved by dartsctl watch (pid {self.watch})"


Reservations = Callable[[], Sequence[Reservation]]
"""Returns the reservations of this state folder. They are looked up when something is in use."""


def none() -> Sequence[Reservation]:
    """Return no reservations."""
    return ()


_NEVER_BY_ITSELF = frozenset({"created", "exited", "dead", "removing"})
"""States of a container that somebody has to start."""


def to_hold(
    endpoints: Sequence[Endpoint],
    own: Sequence[Container],
    published_by: Callable[[Container], Collection[Endpoint]],
) -> tuple[Endpoint, ...]:
    """Return the endpoints that a watch may hold with sockets, with these containers of the stack.

    None while the stack runs, is paused, or starts again by itself. A stopped container may be
    started by anybody at any time, or by the engine (engine-rules.md#who-starts): what it publishes
    (`published_by`) is left to it on every address, whatever its restart policy is.
    """
    if any(container.state not in _NEVER_BY_ITSELF for container in own):
        return ()
    theirs: set[tuple[int, TransportProtocol]] = set()
    for container in own:
        theirs.update((wanted.port, wanted.protocol) for wanted in published_by(container))
    return tuple(row for row in endpoints if (row.port, row.protocol) not in theirs)


def in_short(endpoints: Collection[Endpoint]) -> str:
    """`443/tcp, 5000-5002/tcp`: the ports, whatever their addresses."""
    numbers: dict[str, set[int]] = {}
    for endpoint in endpoints:
        numbers.setdefault(endpoint.protocol, set()).add(endpoint.port)
    words: list[str] = []
    for protocol, ports in sorted(numbers.items()):
        first = last = -1
        for port in (*sorted(ports), 0):
            if port != last + 1:
                if last >= 0:
                    words.append(f"{format_ports(first, last)}/{protocol}")
                first = port
            last = port
    return ", ".join(words)
