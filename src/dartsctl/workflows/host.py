"""This host as the domain asks for it: sockets, processes and leases. Answers are remembered."""

from __future__ import annotations

import sys
from contextlib import suppress

from dartsctl.edges.host import processes, sockets
from dartsctl.errors import DartsctlError
from dartsctl.ports.holders import DevLease
from dartsctl.ports.listeners import Probe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from dartsctl.ports.listeners import Listener
    from dartsctl.ports.process import Process
    from dartsctl.ports.reservation import Reservation
    from dartsctl.server.lease_record import LeaseRecord
    from dartsctl.stack.bindings import Endpoint, TransportProtocol

_MANY = 32
"""Ports whose bind probes take as long as one look at the table."""


class Host:
    """The `Kernel` and the `SocketOwners` of a preflight. Make a new one for each look at the host.

    `held` returns the leases; without it, no server is known as one of dartsctl's.
    `read_reservations` returns what is reserved by watches.
    """

    def __init__(
        self,
        *,
        held: Callable[[], tuple[LeaseRecord, ...]] = tuple,
        read_reservations: Callable[[], tuple[Reservation, ...]] = tuple,
    ) -> None:
        self._blockers: dict[int, tuple[Listener, ...]] = {}
        self._listeners: dict[int, tuple[Listener, ...]] = {}
        self._processes: dict[int, Process | None] = {}
        self._container_ids: dict[int, str | None] = {}
        self._held = held
        self._read_reservations = read_reservations
        self._leases: tuple[LeaseRecord, ...] | None = None
        self._reservations: tuple[Reservation, ...] | None = None
        self._usable: dict[int, dict[int, list[Endpoint]]] = {}
        """What is usable of each reservation, by the process that holds it, and by port."""
        self._expected: frozenset[int] = frozenset()
        self._may_bind = True

    def reading_only(self) -> Host:
        """Return this view, which binds nothing from now on: the socket table has to do.

        A probe that lasts while the engine binds the same port would keep it from starting.
        """
        self._may_bind = False
        return self

    def probe(self, endpoint: Endpoint, *, udp_reuse_address: bool) -> Probe:
        if not self._may_bind:
            return Probe.FORBIDDEN
        return sockets.probe(endpoint, udp_reuse_address=udp_reuse_address)

    def listeners(self, port: int) -> tuple[Listener, ...]:
        if port not in self._listeners:
            self.read_ahead(self._expected.difference(self._listeners).union((port,)))
        return self._listeners[port]

    def blockers(self, port: int) -> tuple[Listener, ...]:
        if port in self._listeners:
            return tuple(row for row in self._listeners[port] if row.surely_blocks)
        if port not in self._blockers:
            expected = self._expected.difference(self._blockers).union((port,))
            self.read_ahead(expected, blockers_only=True)
        return self._blockers[port]

    def expect(self, ports: Collection[int]) -> None:
        """Let the first answer about a socket read all these ports, in one walk of the open files.

        One more walk, if what blocks is not all that is asked for.
        """
        self._expected = frozenset(ports)

    def occupied(
        self, protocol: TransportProtocol, ports: Collection[int]
    ) -> Mapping[int, Sequence[Listener]] | None:
        return sockets.occupied(protocol, ports)

    def heard_among(self, ports: Collection[int]) -> frozenset[int] | None:
        """Return on which of many ports a tcp socket listens, whatever its address.

        None where they are few, or where there is no table that is read at once: one question for
        each is cheaper then.
        """
        if len(ports) < _MANY or sys.platform != "linux":
            return None
        with suppress(DartsctlError):
            return sockets.listening_ports(ports)
        return None

    def read_ahead(self, ports: Collection[int], *, blockers_only: bool = False) -> None:
        """Read the sockets on many ports from the kernel's table at once.

        `blockers_only`: those that listen, and udp. For the others the kernel walks its table of
        all connections, which takes ten times as long.
        """
        rows: dict[int, list[Listener]] = {port: [] for port in ports}
        for listener in sockets.listeners(ports, owners=True, listening_only=blockers_only):
            rows[listener.port].append(listener)
        known = self._blockers if blockers_only else self._listeners
        known.update((port, tuple(listeners)) for port, listeners in rows.items())

    def listening(self, ports: Collection[int], *, owners: bool = False) -> tuple[Listener, ...]:
        """Return the sockets on these ports that surely serve there. Nothing is remembered."""
        return sockets.listeners(ports, owners=owners, listening_only=True)

    def forwarded(self, rows: Collection[Listener], engine: int) -> tuple[Listener, ...]:
        """Return the sockets that the engine (its pid) surely holds for its containers."""
        from dartsctl.edges.host import engine_sockets

        held = engine_sockets.held(engine, {row.inode for row in rows} - {0})
        return tuple(row for row in rows if row.inode in held)

    def local_addresses(self) -> tuple[str, ...]:
        return sockets.local_addresses()

    def describe(self, pid: int) -> Process | None:
        if pid not in self._processes:
            self._processes[pid] = processes.describe(pid)
        return self._processes[pid]

    def container_id_of(self, pid: int) -> str | None:
        if pid not in self._container_ids:
            self._container_ids[pid] = processes.container_id_of(pid)
        return self._container_ids[pid]

    def is_forwarder(self, process: Process) -> bool:
        return processes.is_forwarder(process)

    def reservations(self) -> tuple[Reservation, ...]:
        """Return what the watches reserve, as they say now."""
        if self._reservations is None:
            self._reservations = self._read_reservations()
        return self._reservations

    def reserved_for(self, project: str, endpoint: Endpoint) -> frozenset[Endpoint]:
        """Return what the watch of `project` has on an endpoint's port, for that project's `up`.

        A watch that does not answer has what its sockets show. Where none is seen, its gate is what
        keeps us from the endpoint.
        """
        own = self.reservation_of(project, endpoint)
        if own is None:
            return frozenset()
        if own.answers:
            return frozenset(self._usable_on(endpoint.port, own))
        rows = self.listeners(endpoint.port)
        seen = frozenset(row.endpoint for row in rows if own.process in row.pids)
        return seen if rows else frozenset({endpoint})

    @property
    def has_met_reservations(self) -> bool:
        """Whether something was in use, so that the watches were asked."""
        return bool(self._reservations)

    def reservation_of(self, project: str, endpoint: Endpoint) -> Reservation | None:
        """Return the reservation of `project`, if the endpoint may be part of it."""
        for own in self.reservations():
            if own.project != project:
                continue
            near = self._usable_on(endpoint.port, own)
            if not own.answers or any(row.excludes(endpoint) for row in near):
                return own
        return None

    def _usable_on(self, port: int, own: Reservation) -> Sequence[Endpoint]:
        """Return what a reservation has on a port, and its project gets as soon as it asks."""
        if own.process not in self._usable:
            by_port: dict[int, list[Endpoint]] = {}
            for endpoint in own.usable:
                by_port.setdefault(endpoint.port, []).append(endpoint)
            self._usable[own.process] = by_port
        return self._usable[own.process].get(port, ())

    def leased_to(self, process: Process, port: int) -> DevLease | None:
        """Return the lease of `process` on `port`, None if it is not one of dartsctl's servers."""
        if self._leases is None:
            self._leases = self._held()
        ancestors = {pid for pid, _ in process.parents}
        for record in self._leases:
            if record.port == port and record.confirmed and record.supervisor in ancestors:
                evidence = f"leased by dartsctl to {record.checkout}"
                return DevLease(process, record.checkout, record.url, evidence)
        return None
