"""Who holds an endpoint: from an obstacle, the socket table and the processes behind it to holders with their evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from dartsctl.ports.availability import Obstacle, Reason
from dartsctl.ports.holders import (
    Connection,
    DevLease,
    ForeignContainer,
    Holder,
    HostProcess,
    OwnContainer,
    Unknown,
)
from dartsctl.ports.listeners import Listener
from dartsctl.ports.process import Process
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.containers import Container
from dartsctl.stack.model import Stack


class Witness(Protocol):
    """What attribution asks of the host."""

    def listeners(self, port: int) -> tuple[Listener, ...]: ...

    def describe(self, pid: int) -> Process | None: ...

    def container_id_of(self, pid: int) -> str | None: ...

    def is_forwarder(self, process: Process) -> bool: ...

    def leased_to(self, process: Process, port: int) -> DevLease | None: ...


class Attribution:
    """Names holders; each process is described once."""

    def __init__(
        self, stack: Stack | None, containers: Sequence[Container], witness: Witness
    ) -> None:
        self._stack = stack
        self._by_id: Mapping[str, Container] = {container.id: container for container in containers}
        self._witness = witness
        self._published: dict[str, dict[int, list[Endpoint]]] = {}

    def holders(self, endpoint: Endpoint, obstacle: Obstacle) -> tuple[Holder, ...]:
        """Everybody in `endpoint`'s way: the containers that the engine lists, else the sockets' owners, else Unknown."""
        if obstacle.containers:
            seen = self._forwarder_seen(endpoint)
            return tuple(
                self._container(
                    container, f"docker lists {self._published_at(container, endpoint)}{seen}"
                )
                for container in obstacle.containers
            )
        if obstacle.reason is not Reason.IN_USE:
            return ()
        return self.holders_of_socket(endpoint)

    def holders_of_socket(self, endpoint: Endpoint) -> tuple[Holder, ...]:
        """The owners of the host's sockets that overlap `endpoint`; a socket that several processes share is one holder.

        Only who listens, or is bound, holds a port. Others merely have a connection that uses its number.
        """
        rows = [row for row in self._witness.listeners(endpoint.port) if row.overlaps(endpoint)]
        rows = [row for row in rows if row.surely_blocks] or rows
        if not rows:
            return (
                Unknown(
                    None,
                    _look(endpoint),
                    "busy, but no socket is visible: bound without listening, or outside this view",
                ),
            )
        serving = [row for row in rows if not row.is_connection]
        owners = {pid for row in serving for pid in row.pids}
        connections = [row for row in rows if row.is_connection and not owners & set(row.pids)]
        return tuple(
            dict.fromkeys((*map(self._owner, serving), *map(self._connection, connections)))
        )

    def holders_on(self, port: int) -> tuple[Holder, ...]:
        """Everybody who holds tcp `port` on any address: containers by the engine's list, and who listens besides."""
        listed = [
            self._container(container, f"docker lists {published}")
            for container in self._by_id.values()
            for published in container.published
            if published.port == port and published.protocol == "tcp"
        ]
        found: dict[Holder, None] = {}
        containers = {
            holder.container.id: holder
            for holder in listed
            if isinstance(holder, ForeignContainer | OwnContainer)
        }
        found |= dict.fromkeys(containers.values())
        for row in self._witness.listeners(port):
            if row.protocol == "tcp" and row.state == "listen":
                holder = self._owner(row)
                if not (containers and isinstance(holder, Unknown)):
                    found[holder] = None
        return tuple(found)

    def _owner(self, row: Listener) -> Holder:
        evidence = f"{_state(row)} on {row.endpoint}"
        described = [process for pid in row.pids if (process := self._witness.describe(pid))]
        if not described:
            return Unknown(
                row.uid,
                _look(row.endpoint),
                f"{evidence}, owner not visible"
                + ("" if row.uid is None else f" (user id {row.uid})"),
            )
        process = described[0]
        if self._witness.is_forwarder(process):
            return Unknown(
                row.uid,
                _look(row.endpoint),
                f"{evidence} by {process.name} (pid {process.pid}), but this engine lists no such port: another engine's, or a stale one",
            )
        for one in described:
            if (identity := self._witness.container_id_of(one.pid)) and (
                container := self._by_id.get(identity)
            ):
                return self._container(
                    container, f"{evidence} by its process {one.pid} on the host's network"
                )
        for one in described:
            if lease := self._witness.leased_to(one, row.port):
                return lease
        return HostProcess(process, tuple(one.pid for one in described[1:]), evidence)

    def _connection(self, row: Listener) -> Connection:
        process = next((seen for pid in row.pids if (seen := self._witness.describe(pid))), None)
        evidence = f"{_state(row)} on {row.endpoint}"
        if process is None and row.uid is not None:
            evidence += f", owner not visible (user id {row.uid})"
        peer = str(row.peer).partition("/")[0] if row.peer else ""
        return Connection(process, row.state == "closing", peer, _look(row.endpoint), evidence)

    def _container(self, container: Container, evidence: str) -> Holder:
        if (
            self._stack
            and container.project == self._stack.project
            and container.service in self._stack.services
            and not container.is_one_off
        ):
            return OwnContainer(container, evidence)
        return ForeignContainer(container, evidence)

    def _published_at(self, container: Container, endpoint: Endpoint) -> Endpoint:
        """The endpoint of `container` that is in the way of `endpoint`."""
        if container.id not in self._published:
            by_port: dict[int, list[Endpoint]] = {}
            for one in container.published:
                by_port.setdefault(one.port, []).append(one)
            self._published[container.id] = by_port
        return next(
            one for one in self._published[container.id][endpoint.port] if one.excludes(endpoint)
        )

    def _forwarder_seen(self, endpoint: Endpoint) -> str:
        for row in self._witness.listeners(endpoint.port):
            for pid in row.pids:
                process = self._witness.describe(pid)
                if row.overlaps(endpoint) and process and self._witness.is_forwarder(process):
                    return f"; socket held by {process.name} (pid {pid})"
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
    flag = "u" if endpoint.protocol == "udp" else "t"
    return f"sudo ss -H{flag}nap 'sport = :{endpoint.port}'"
