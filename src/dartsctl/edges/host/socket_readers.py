"""Reads the sockets on some local ports, by sock_diag, /proc/net or psutil, and local addresses."""

from __future__ import annotations

import _socket
from contextlib import suppress
from pathlib import Path

from dartsctl.ports.listeners import Listener
from dartsctl.ports.socket_table import (
    NETLINK_SOCK_DIAG,
    answer,
    local_ports,
    proc_rows,
    requests,
)
from dartsctl.records import replace
from dartsctl.stack.bindings import Endpoint, normal_address
from dartsctl.system.plain_socket import PlainSocket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any, Protocol

    from dartsctl.ports.listeners import State
    from dartsctl.stack.bindings import TransportProtocol

    class SocketReader(Protocol):
        """Reads the sockets of one protocol on some local ports."""

        __name__: str

        def __call__(
            self, protocol: TransportProtocol, ports: frozenset[int], *, listening_only: bool
        ) -> Collection[Listener]:
            """Return the sockets. Raises OSError.

            With `listening_only` it may leave out sockets that do not surely block.
            """


_LARGEST_DATAGRAM = 65536
"""Bytes. The kernel fills at most 32 KiB in one step of a dump."""


def read_sock_diag(
    protocol: TransportProtocol, ports: frozenset[int], *, listening_only: bool
) -> Collection[Listener]:
    """Read Linux's own socket table, filtered by port in the kernel. A SocketReader.

    It is the only source for V6ONLY and, from Linux 6.8, for sockets that are only bound.
    """
    rows: list[Listener] = []
    with _sock_diag() as kernel:
        for request in requests(protocol, ports, listening_only=listening_only):
            kernel.send(request)
            is_last = False
            while not is_last:
                chunk, is_last = answer(protocol, kernel.recv(_LARGEST_DATAGRAM))
                rows += chunk
    return rows


def read_listening_ports(ports: frozenset[int]) -> set[int]:
    """Return on which of `ports`, and maybe on which others, a tcp socket listens, by sock_diag.

    Raises OSError.
    """
    listening: set[int] = set()
    with _sock_diag() as kernel:
        for request in requests("tcp", ports, listening_only=True):
            kernel.send(request)
            is_last = False
            while not is_last:
                chunk, is_last = local_ports(kernel.recv(_LARGEST_DATAGRAM))
                listening |= chunk
    return listening


def _sock_diag() -> PlainSocket:
    family = getattr(_socket, "AF_NETLINK", 16)
    return PlainSocket(family, _socket.SOCK_RAW, NETLINK_SOCK_DIAG)


def read_proc(
    protocol: TransportProtocol,
    ports: frozenset[int],
    *,
    listening_only: bool = False,  # noqa: ARG001 - a SocketReader may list more than was asked for
    folder: Path = Path("/proc/net"),
) -> Collection[Listener]:
    """Read /proc/net. A SocketReader.

    For hosts where netlink is closed to us, or whose kernel has no sock_diag for `protocol` (udp on
    some WSL2 kernels).
    """
    rows: list[Listener] = []
    for name in (protocol, f"{protocol}6"):
        try:
            with (folder / name).open(encoding="ascii") as file:
                next(file, None)
                rows += proc_rows(protocol, ports, file)
        except FileNotFoundError:
            if name == protocol:  # the other one is missing on a kernel without IPv6
                raise  # (edge-cases.md#45)
    return rows


def read_psutil(
    protocol: TransportProtocol,
    ports: frozenset[int],
    *,
    listening_only: bool = False,  # noqa: ARG001 - a SocketReader may list more than was asked for
) -> Collection[Listener]:
    """Read the sockets through psutil, for macOS. A SocketReader."""
    pids: dict[Listener, set[int]] = {}
    for pid, connection in _psutil_connections(protocol):
        if not connection.laddr or connection.laddr.port not in ports:
            continue
        owners = pids.setdefault(_psutil_listener(protocol, connection), set())
        if pid:
            owners.add(pid)
    return [replace(row, pids=tuple(sorted(owners))) for row, owners in pids.items()]


def _psutil_connections(protocol: TransportProtocol) -> list[tuple[int | None, Any]]:
    """Return each connection with the pid of its process.

    psutil may refuse the whole table because of one foreign process. Then the result has what is
    visible (edge-cases.md#18).
    """
    import psutil

    with suppress(psutil.AccessDenied):
        return [(row.pid, row) for row in psutil.net_connections(kind=protocol)]
    rows: list[tuple[int | None, Any]] = []
    for process in psutil.process_iter():
        # psutil 6 renamed it
        read = getattr(process, "net_connections", None) or process.connections
        with suppress(psutil.Error):
            rows += [(process.pid, row) for row in read(kind=protocol)]
    return rows


def _psutil_listener(protocol: TransportProtocol, connection: Any) -> Listener:
    address = _psutil_address(connection.laddr.ip)
    state = _psutil_state(protocol, connection.status, connected=bool(connection.raddr))
    peer = None
    if connection.raddr:
        peer = Endpoint(connection.raddr.port, _psutil_address(connection.raddr.ip), protocol)
    return Listener(protocol, address, connection.laddr.port, state, peer=peer)


def _psutil_address(text: str) -> str:
    """Return an address as psutil prints it, without its interface."""
    return normal_address(text.partition("%")[0])


def _psutil_state(protocol: TransportProtocol, status: str, *, connected: bool) -> State:
    """Return the state for psutil's word. An unknown word counts as connected."""
    if protocol == "udp":
        return "connected" if connected else "bound"
    match status:
        case "LISTEN":
            return "listen"
        case "CLOSE" | "NONE":
            return "bound"
        case "FIN_WAIT1" | "FIN_WAIT2" | "TIME_WAIT" | "LAST_ACK" | "CLOSING":
            return "closing"
        case _:
            return "connected"


READERS: tuple[SocketReader, ...] = (read_sock_diag, read_proc, read_psutil)


def read_addresses() -> set[str]:
    """Return the addresses of this host's interfaces, by psutil."""
    import psutil

    addresses: set[str] = set()
    for interface in psutil.net_if_addrs().values():
        for entry in interface:
            if entry.family in (_socket.AF_INET, _socket.AF_INET6):
                addresses.add(_psutil_address(entry.address))
    return addresses
