"""What running a host server touches of the outside world."""

from __future__ import annotations

from dartsctl.edges.host import processes, sockets
from dartsctl.edges.state.leases import LeaseBook
from dartsctl.errors import DartsctlError
from dartsctl.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Sequence
    from typing import Protocol

    from dartsctl.edges.screen.output import Screen
    from dartsctl.ports.holders import Holder
    from dartsctl.ports.listeners import Listener, Probe
    from dartsctl.ports.process import Process
    from dartsctl.stack.bindings import Endpoint, TransportProtocol
    from dartsctl.workflows.deps import Deps

    class ListeningPorts(Protocol):
        """Where something listens on this host: edges/host/sockets.py."""

        def listening_ports(self, ports: Iterable[int]) -> frozenset[int]: ...

        def has_listener(self, port: int) -> bool: ...

    class Sockets(ListeningPorts, Protocol):
        """This host's sockets: edges/host/sockets.py."""

        def probe(self, endpoint: Endpoint, *, udp_reuse_address: bool = False) -> Probe: ...

        def listen_on(self, endpoint: Endpoint) -> socket.socket | None: ...

        def listeners(
            self,
            ports: Iterable[int],
            *,
            owners: bool = False,
            listening_only: bool = False,
            protocols: Sequence[TransportProtocol] = ...,
        ) -> tuple[Listener, ...]: ...

    class Processes(Protocol):
        """This host's processes: edges/host/processes.py."""

        def describe(self, pid: int) -> Process | None: ...

        def is_within(self, pid: int, ancestor: int) -> bool: ...

        def birth(self, pid: int) -> int | None: ...

        def start_time(self, pid: int) -> float | None: ...


@record
class ServerDeps:
    """The part of Deps that a server needs. `monotonic` is the clock of deadlines."""

    leases: LeaseBook
    sockets: Sockets
    processes: Processes
    screen: Screen
    holders: Callable[[int], tuple[Holder, ...]]
    """Who holds a tcp port of this host, on any address."""
    now: Callable[[], float]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]


def server_deps(deps: Deps) -> ServerDeps:
    """Return the real dependencies of a server."""
    return ServerDeps(
        leases=LeaseBook(deps.state),
        sockets=sockets,
        processes=processes,
        screen=deps.screen,
        holders=lambda port: _holders(deps, port),
        now=deps.now,
        monotonic=deps.monotonic,
        sleep=deps.sleep,
    )


def _holders(deps: Deps, port: int) -> tuple[Holder, ...]:
    """Return the holders of a port, without containers if the engine does not answer."""
    from dartsctl.ports.attribution import Attribution  # only a conflict pays for this import

    try:
        containers = deps.engine().containers()
    except DartsctlError:
        containers = ()
    host = deps.host()
    return Attribution(None, containers, host, reservations=host.reservations).holders_on(port)
