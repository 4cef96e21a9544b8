"""Name the holders of an endpoint: from an obstacle, the socket table and processes."""

from __future__ import annotations

from dartsctl.ports import reservation
from dartsctl.ports.holders import (
    Connection,
    DevLease,
    ForeignContainer,
    Holder,
    HostProcess,
    OwnContainer,
    Reserved,
    Unknown,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Protocol

    from dartsctl.ports.availability import Obstacle
    from dartsctl.ports.listeners import Listener
    from dartsctl.ports.process import Process
    from dartsctl.ports.reservation import Reservation, Reservations
    from dartsctl.stack.bindings import Endpoint
    from dartsctl.stack.containers import Container
    from dartsctl.stack.model import Stack

    class SocketOwners(Protocol):
        """What attribution asks of the host."""

        def listeners(self, port: int) -> tuple[Listener, ...]: ...

        def blockers(self, port: int) -> tuple[Listener, ...]:
            """Return those of the listeners that surely block: much less work for the kernel."""

        def describe(self, pid: int) -> Process | None: ...

        def container_id_of(self, pid: int) -> str | None: ...

        def is_forwarder(self, process: Process) -> bool: ...

        def leased_to(self, process: Process, port: int) -> DevLease | None: ...


class Attribution:
    """Names holders, each with its evidence."""

    def __init__(
        self,
        stack: Stack | None,
        containers: Sequence[Container],
        owners: SocketOwners,
        *,
        orphans: Collection[Container] = (),
        reservations: Reservations = reservation.none,
    ) -> None:
        self._stack = stack
        self._by_id: Mapping[str, Container] = {container.id: container for container in containers}
        self._owners = owners
        self._reservations = reservations
        self._orphans = {container.id for container in orphans}
        self._published: dict[str, dict[int, list[Endpoint]]] = {}
        self._on_port: dict[int, list[tuple[Container, Endpoint]]] | None = None
        self._reserved: dict[int, list[tuple[Reservation, Endpoint]]] | None = None

    def holders(self, endpoint: Endpoint, obstacle: Obstacle) -> tuple[Holder, ...]:
        """Return everybody who is in the way of an endpoint.

        These are the containers that the engine lists, else the owners of sockets, else Unknown.
        """
        if obstacle.containers:
            forwarder = self._forwarder_seen(endpoint)
            holders = []
            for container in obstacle.containers:
                published = self._published_at(container, endpoint)
                holders.append(self._container(container, f"docker lists {published}{forwarder}"))
            return tuple(holders)
        if not obstacle.is_in_use:
            return ()
        return self.holders_of_socket(endpoint)

    def holders_of_socket(self, endpoint: Endpoint) -> tuple[Holder, ...]:
        """Return the owners of the host's sockets that overlap an endpoint.

        A socket that several processes share is one holder. Only a process that listens, or is
        bound, holds a port; others merely have a connection that uses its number.
        """
        rows = [row for row in self._owners.blockers(endpoint.port) if row.overlaps(endpoint)]
        if not rows:
            rows = [row for row in self._owners.listeners(endpoint.port) if row.overlaps(endpoint)]
        if not rows and (reserved := self._guarded(endpoint)):
            return (reserved,)
        if not rows:
            evidence = (
                "busy, but no socket is visible: bound without listening, or outside of this view"
            )
            return (Unknown(None, _look(endpoint), evidence),)
        serving = [row for row in rows if not row.is_connection]
        pids: set[int] = set()
        for row in serving:
            pids.update(row.pids)
        holders = dict.fromkeys(map(self.owner, serving))
        for row in rows:
            if row.is_connection and pids.isdisjoint(row.pids):
                holders[self._connection(row)] = None
        return tuple(holders)

    def holders_on(self, port: int) -> tuple[Holder, ...]:
        """Return everybody who holds tcp `port` on any address.

        These are the containers that the engine lists, the other listeners, and the watch that
        reserves it.
        """
        holders: dict[str | Holder, Holder] = {}
        for container, published in self._listed_on(port):
            evidence = f"docker lists {published}"
            holders[container.id] = self._container(container, evidence)
        are_listed = bool(holders)
        for row in self._owners.blockers(port):
            if row.protocol == "tcp" and row.state == "listen":
                holder = self.owner(row)
                if not (are_listed and isinstance(holder, Unknown)):
                    holders.setdefault(holder, holder)
        if not holders and (reserved := self._reserved_on(port)):
            holders[reserved] = reserved
        return tuple(dict.fromkeys(holders.values()))

    def owner(self, row: Listener) -> Holder:
        """Return who has a socket open: a container, dev server, process, or an unseen owner."""
        evidence = f"{_state(row)} on {row.endpoint}"
        processes = [process for process in map(self._owners.describe, row.pids) if process]
        if not processes:
            user = "" if row.uid is None else f" (user id {row.uid})"
            return Unknown(row.uid, _look(row.endpoint), f"{evidence}, owner not visible{user}")
        first = processes[0]
        for reserve in self._reservations():
            if reserve.process in row.pids:
                return Reserved.of(reserve, evidence)
        if self._owners.is_forwarder(first):
            evidence += f" by {first.name} (pid {first.pid}), but this engine lists no such port"
            evidence += ": another engine's, or a stale one"
            return Unknown(row.uid, _look(row.endpoint), evidence)
        for process in processes:
            container = self._by_id.get(self._owners.container_id_of(process.pid) or "")
            if container:
                process_text = f"by its process {process.pid} on the host's network"
                return self._container(container, f"{evidence} {process_text}")
        for process in processes:
            if lease := self._owners.leased_to(process, row.port):
                return lease
        return HostProcess(first, tuple(process.pid for process in processes[1:]), evidence)

    def _guarded(self, endpoint: Endpoint) -> Reserved | None:
        """The watch whose gate is in the way: it has no socket there, and nobody else can bind."""
        for reserve, own in self._reserved_at(endpoint.port):
            if own.excludes(endpoint):
                return Reserved.of(reserve, "only the engine can bind it")
        return None

    def _reserved_on(self, port: int) -> Reserved | None:
        for reserve, own in self._reserved_at(port):
            if own.protocol == "tcp":
                return Reserved.of(reserve)
        return None

    def _reserved_at(self, port: int) -> Sequence[tuple[Reservation, Endpoint]]:
        """What is reserved on a port, in the order of the watches."""
        if self._reserved is None:
            self._reserved = {}
            for reserve in self._reservations():
                for own in reserve.endpoints:
                    self._reserved.setdefault(own.port, []).append((reserve, own))
        return self._reserved.get(port, ())

    def _listed_on(self, port: int) -> Sequence[tuple[Container, Endpoint]]:
        """The containers that the engine lists on a tcp port, with their endpoints."""
        if self._on_port is None:
            self._on_port = {}
            for container in self._by_id.values():
                for published in container.published:
                    if published.protocol == "tcp":
                        on_port = self._on_port.setdefault(published.port, [])
                        on_port.append((container, published))
        return self._on_port.get(port, ())

    def _connection(self, row: Listener) -> Connection:
        processes = filter(None, map(self._owners.describe, row.pids))
        process = next(processes, None)
        evidence = f"{_state(row)} on {row.endpoint}"
        if process is None and row.uid is not None:
            evidence += f", owner not visible (user id {row.uid})"
        peer = str(row.peer).partition("/")[0] if row.peer else ""
        return Connection(process, row.state == "closing", peer, _look(row.endpoint), evidence)

    def _container(self, container: Container, evidence: str) -> Holder:
        stack = self._stack
        if stack is None or not container.belongs_to(stack.project):
            return ForeignContainer(container, evidence)
        if container.service not in stack.services:
            is_orphan = container.id in self._orphans
            return ForeignContainer(container, evidence, is_orphan=is_orphan)
        return OwnContainer(container, evidence)

    def _published_at(self, container: Container, endpoint: Endpoint) -> Endpoint:
        """The endpoint of a container that is in the way of another one."""
        if container.id not in self._published:
            by_port: dict[int, list[Endpoint]] = {}
            for published in container.published:
                by_port.setdefault(published.port, []).append(published)
            self._published[container.id] = by_port
        on_port = self._published[container.id][endpoint.port]
        return next(published for published in on_port if published.excludes(endpoint))

    def _forwarder_seen(self, endpoint: Endpoint) -> str:
        """`; socket held by docker-proxy (pid 12)`; empty where no forwarder is visible."""
        for row in self._owners.blockers(endpoint.port):
            if not row.overlaps(endpoint):
                continue
            for process in filter(None, map(self._owners.describe, row.pids)):
                if self._owners.is_forwarder(process):
                    return f"; socket held by {process.name} (pid {process.pid})"
        return ""


def _state(row: Listener) -> str:
    if row.protocol == "udp":
        return "connected udp socket" if row.is_connection else "udp socket"
    return {
        "listen": "listens",
        "bound": "bound without listening",
        "connected": "open connection",
        "closing": "closing connection",
    }[row.state]


def _look(endpoint: Endpoint) -> str:
    """The command that shows the owner to root."""
    flag = "u" if endpoint.protocol == "udp" else "t"
    return f"sudo ss -H{flag}nap 'sport = :{endpoint.port}'"
