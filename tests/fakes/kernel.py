"""A host and an engine's list, written down: answers to probes, socket rows, processes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from dartsctl.ports.holders import DevLease
from dartsctl.ports.listeners import Listener, Probe
from dartsctl.ports.process import Process
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.containers import Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.stack.bindings import TransportProtocol


class FakeKernel:
    """A stand-in for workflows.host.Host. What is not written down is free, and nobody is there.

    `asked` are the probes that were made, in order. `complete`: every socket that blocks is in
    `rows`, as on Linux 6.8 and newer.
    """

    def __init__(
        self,
        answers: Mapping[Endpoint, Probe] | None = None,
        rows: Sequence[Listener] = (),
        processes: Sequence[Process] = (),
        *,
        addresses: tuple[str, ...] = ("127.0.0.1", "192.0.2.2", "::1", "fd00::2"),
        forwarders: Sequence[int] = (),
        in_containers: Mapping[int, str] | None = None,
        leases: Mapping[tuple[int, int], DevLease] | None = None,
        complete: bool = False,
    ) -> None:
        self._answers = answers or {}
        self._rows = rows
        self._processes = {process.pid: process for process in processes}
        self._addresses = addresses
        self._forwarders = forwarders
        self._in_containers = in_containers or {}
        self._leases = leases or {}
        self._complete = complete
        self.asked: list[tuple[Endpoint, bool]] = []

    def probe(self, endpoint: Endpoint, *, udp_reuse_address: bool) -> Probe:
        self.asked.append((endpoint, udp_reuse_address))
        return self._answers.get(endpoint, Probe.FREE)

    def listeners(self, port: int) -> tuple[Listener, ...]:
        return tuple(row for row in self._rows if row.port == port)

    def blockers(self, port: int) -> tuple[Listener, ...]:
        return tuple(row for row in self.listeners(port) if row.surely_blocks)

    def occupied(
        self, protocol: TransportProtocol, ports: Collection[int]
    ) -> dict[int, list[Listener]] | None:
        """None unless the rows are the whole table."""
        if not self._complete:
            return None
        found: dict[int, list[Listener]] = {}
        for row in self._rows:
            if row.protocol == protocol and row.port in ports:
                found.setdefault(row.port, []).append(row)
        return found

    def local_addresses(self) -> tuple[str, ...]:
        return self._addresses

    def describe(self, pid: int) -> Process | None:
        return self._processes.get(pid)

    def container_id_of(self, pid: int) -> str | None:
        return self._in_containers.get(pid)

    def is_forwarder(self, process: Process) -> bool:
        return process.pid in self._forwarders

    def leased_to(self, process: Process, port: int) -> DevLease | None:
        return self._leases.get((process.pid, port))


def busy(*endpoints: Endpoint) -> dict[Endpoint, Probe]:
    """Answers of a kernel that refuses exactly these."""
    return dict.fromkeys(endpoints, Probe.IN_USE)


def listening(
    address: str,
    port: int,
    *,
    pids: tuple[int, ...] = (),
    v6only: bool | None = None,
    uid: int | None = None,
) -> Listener:
    """A tcp socket in state LISTEN."""
    return Listener("tcp", address, port, "listen", v6only, uid=uid, pids=pids)


def container(
    project: str,
    service: str,
    *published: Endpoint,
    number: int = 1,
    state: str = "running",
    config_hash: str = "same",
    one_off: bool = False,
    name: str = "",
    status: str = "",
    files: str = "",
) -> Container:
    """A container that Compose made."""
    called = name or f"{project}-{service}-{number}"
    labels = {
        "com.docker.compose.project": project,
        "com.docker.compose.service": service,
        "com.docker.compose.container-number": str(number),
        "com.docker.compose.config-hash": config_hash,
        "com.docker.compose.oneoff": str(one_off),
        "com.docker.compose.project.working_dir": f"/srv/{project}",
        "com.docker.compose.project.config_files": files or f"/srv/{project}/compose.yml",
    }
    return Container(
        f"id of {called}",
        called,
        "busybox",
        state,
        status,
        tuple((endpoint, 80) for endpoint in published),
        labels,
    )
