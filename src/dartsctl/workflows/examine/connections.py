"""The proxy's connections to the services behind it, seen at both ends. Reads only.

One end alone is not enough: where the service closes first, the proxy's table forgets a connection
at once, and the service's table keeps it for a minute (TIME_WAIT).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, NamedTuple

from dartsctl.stack.bindings import Endpoint
from dartsctl.workflows.examine.containers import KERNEL

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from dartsctl.diagnosis.facts import ContainerFacts, ServiceFacts
    from dartsctl.workflows.examine.containers import ContainerProbes

_MOST_BACKENDS = 16
_MOST_EXECUTED = 5
"""Looks for which a process must be started in each container."""
BUSY = 200
"""Connections in the last minute from which on one of others may be taken for ours."""


class ProxyConnection(NamedTuple):
    """What both ends of a connection know of it."""

    address: str
    port: int
    source_port: int

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.port, self.address)


ConnectionTable = Mapping[ProxyConnection, bool]
"""Connections, with whether each is open."""


class ConnectionLooks:
    """Reads the connections between one container of the proxy and the services behind it.

    `ports`: those that the proxy passes requests on to.
    """

    def __init__(
        self,
        front: ContainerFacts | None,
        services: Mapping[str, ServiceFacts],
        ports: Collection[int],
        *,
        containers: ContainerProbes,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._containers = containers
        self._pool = pool
        self._front = front if front and front.runs and front.has_own_network else None
        self._executed = 0
        self._backends: list[ContainerFacts] = []
        for service in services.values():
            for container in service.running:
                if container is not front and _listens_on(container, ports):
                    self._backends.append(container)

    def now(self) -> ConnectionTable | None:
        """Return the present connections.

        None if the proxy's sockets are not its own or cannot be read, or were read often enough
        where that is no matter of the kernel alone.
        """
        front = self._front
        if front is None or front.listening is None or self._executed >= _MOST_EXECUTED:
            return None
        backends = self._backends[:_MOST_BACKENDS]
        sources = [row.listening_source for row in (front, *backends)]
        if not all(source.startswith(KERNEL) for source in sources):
            self._executed += 1
        reads = [self._pool.submit(self._containers.connections, row) for row in (front, *backends)]
        table: dict[ProxyConnection, bool] = {}
        for row in reads[0].result():
            if row.peer:
                known = ProxyConnection(row.peer.address, row.peer.port, row.port)
                table[known] = row.state == "connected"
        for read in reads[1:]:
            for row in read.result():
                if row.peer and row.peer.address in front.all_addresses:
                    known = ProxyConnection(row.address, row.port, row.peer.port)
                    table.setdefault(known, row.state == "connected")
        return table


def busy_places(table: ConnectionTable) -> tuple[Endpoint, ...]:
    """Return where many connections lead to."""
    counts = Counter(connection.endpoint for connection in table)
    return tuple(sorted(place for place, count in counts.items() if count >= BUSY))


def _listens_on(container: ContainerFacts, ports: Collection[int]) -> bool:
    if not container.has_own_network:
        return False
    return any(place.port in ports for place in container.listening or ())
