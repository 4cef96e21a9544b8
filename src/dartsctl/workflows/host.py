"""This host, as the domain asks for it: the socket table, the processes and the leases behind one small value that remembers its answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from dartsctl.edges.host import processes, sockets
from dartsctl.edges.state import leases
from dartsctl.ports.holders import DevLease
from dartsctl.ports.listeners import Listener, Probe
from dartsctl.ports.process import Process
from dartsctl.server.request import LeaseRecord
from dartsctl.stack.bindings import Endpoint, TransportProtocol


class Host:
    """The Kernel and the Witness of a preflight. A new one for every look: what it has read once it does not read again."""

    def __init__(self, *, held: Callable[[], tuple[LeaseRecord, ...]] = leases.held) -> None:
        self._listeners: dict[int, tuple[Listener, ...]] = {}
        self._processes: dict[int, Process | None] = {}
        self._held = held
        self._expected: frozenset[int] = frozenset()

    def probe(self, endpoint: Endpoint, *, udp_reuse_address: bool) -> Probe:
        return sockets.probe(endpoint, udp_reuse_address=udp_reuse_address)

    def listeners(self, port: int) -> tuple[Listener, ...]:
        if port not in self._listeners:
            self.read_ahead({port, *self._expected})
            self._expected = frozenset()
        return self._listeners[port]

    def expect(self, ports: Collection[int]) -> None:
        """`listeners` may be asked for these: the first question then reads all of them at once, for one walk of all open files."""
        self._expected = frozenset(ports)

    def occupied(
        self, protocol: TransportProtocol, ports: range
    ) -> Mapping[int, Sequence[Listener]] | None:
        return sockets.occupied(protocol, ports)

    def read_ahead(self, ports: Collection[int]) -> None:
        """Look at many ports in one reading of the socket table."""
        found: dict[int, list[Listener]] = {port: [] for port in ports}
        for row in sockets.listeners(ports, owners=True):
            found[row.port].append(row)
        self._listeners |= {port: tuple(rows) for port, rows in found.items()}

    def local_addresses(self) -> tuple[str, ...]:
        return sockets.local_addresses()

    def describe(self, pid: int) -> Process | None:
        if pid not in self._processes:
            self._processes[pid] = processes.describe(pid)
        return self._processes[pid]

    def container_id_of(self, pid: int) -> str | None:
        return processes.container_id_of(pid)

    def is_forwarder(self, process: Process) -> bool:
        return processes.is_forwarder(process)

    def leased_to(self, process: Process, port: int) -> DevLease | None:
        """The lease under which `process` runs, when it is one of dartsctl's servers on that very port."""
        ancestors = {pid for pid, _ in process.parents}
        for record in self._held():
            if record.port == port and record.confirmed and record.supervisor in ancestors:
                return DevLease(
                    process, record.checkout, record.url, f"leased by dartsctl to {record.checkout}"
                )
        return None
