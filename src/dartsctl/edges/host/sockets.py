"""The kernel's view of ports: what a bind would say, which sockets sit on a port and whose they are, what addresses this host has.

Of this network namespace alone (edge-cases.md#27, edge-cases.md#28): inside a container, or for a remote engine, the answers say nothing about the host.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from dartsctl.errors import DartsctlError
from dartsctl.ports.listeners import Listener, Probe, State
from dartsctl.ports.socket_table import NETLINK_SOCK_DIAG, answer, proc_rows, requests
from dartsctl.stack.bindings import Endpoint, TransportProtocol, normal_address

_KINDS = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, getattr(socket, "IPPROTO_SCTP", 132)),
}
_ANSWERS = {
    errno.EADDRINUSE: Probe.IN_USE,
    errno.EADDRNOTAVAIL: Probe.NO_SUCH_ADDRESS,
    errno.EINVAL: Probe.INVALID,
    errno.EACCES: Probe.FORBIDDEN,
    errno.EPERM: Probe.FORBIDDEN,
    errno.EPROTONOSUPPORT: Probe.UNSUPPORTED,
    errno.ESOCKTNOSUPPORT: Probe.UNSUPPORTED,
    errno.EAFNOSUPPORT: Probe.UNSUPPORTED,
}
_BACKLOG = 2048
"""Connections that wait while a server starts or reloads; the kernel's own limit (net.core.somaxconn) may be lower."""
_LARGEST_DATAGRAM = 65536  # the kernel fills 32 KiB at most in one step of a dump


def probe(endpoint: Endpoint, *, udp_reuse_address: bool = False) -> Probe:
    """What the kernel says to the very bind that the engine would do (engine-rules.md#host-sockets); the port is free again on return.

    `udp_reuse_address` for engine 28.x alone (engine-rules.md#one-implementation). FORBIDDEN says nothing about whether the port is free (edge-cases.md#17).
    Raises DartsctlError where the kernel gives no answer (no descriptors or memory left): that must never read as free.
    """
    protocol = endpoint.protocol
    try:
        with socket.socket(
            socket.AF_INET6 if endpoint.is_ipv6 else socket.AF_INET, *_KINDS[protocol]
        ) as trial:
            if protocol == "tcp" or (protocol == "udp" and udp_reuse_address):
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if endpoint.is_ipv6:
                trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            trial.bind((endpoint.address, endpoint.port))
            if protocol != "udp":
                trial.listen(
                    1
                )  # with SO_REUSEADDR two sockets can both bind: only listen shows the clash (edge-cases.md#8)
    except OSError as error:
        if error.errno in _ANSWERS:
            return _ANSWERS[error.errno]
        full = error.errno in (errno.EMFILE, errno.ENFILE)
        raise DartsctlError(
            f"whether {endpoint} is free cannot be told: {error.strerror or error}",
            hint="raise the limit of open files, then try again: ulimit -n 4096"
            if full
            else "look yourself, then try again: ss -tuan",
        ) from error
    return Probe.FREE


def listen_on(endpoint: Endpoint) -> socket.socket | None:
    """A tcp socket that listens on `endpoint`, to be handed to a server; None when it is not to be had. Raises DartsctlError as `probe` does.

    It listens at once: two sockets with SO_REUSEADDR can both bind, and who listens first wins (edge-cases.md#8).
    """
    answer = probe(endpoint)
    if answer is not Probe.FREE:
        return None
    listener = socket.socket(
        socket.AF_INET6 if endpoint.is_ipv6 else socket.AF_INET, socket.SOCK_STREAM
    )
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((endpoint.address, endpoint.port))
        listener.listen(_BACKLOG)
    except OSError:  # somebody was quicker
        listener.close()
        return None
    return listener


Table = Callable[[TransportProtocol, frozenset[int], bool], Collection[Listener]]
"""Reads the sockets of one protocol on these local ports; with the flag it may leave out what does not surely block. Raises OSError."""


def read_sock_diag(
    protocol: TransportProtocol, ports: frozenset[int], listening_only: bool
) -> Collection[Listener]:
    """A Table: Linux's own, filtered by port in the kernel. It alone tells V6ONLY and, from 6.8, sockets that are bound only."""
    rows: list[Listener] = []
    with socket.socket(
        getattr(socket, "AF_NETLINK", 16), socket.SOCK_RAW, NETLINK_SOCK_DIAG
    ) as kernel:
        for request in requests(protocol, ports, listening_only=listening_only):
            kernel.send(request)
            done = False
            while not done:
                found, done = answer(protocol, kernel.recv(_LARGEST_DATAGRAM))
                rows += found
    return rows


def read_proc(
    protocol: TransportProtocol,
    ports: frozenset[int],
    _listening_only: bool,
    folder: Path = Path("/proc/net"),
) -> Collection[Listener]:
    """A Table: the same as text, where netlink is closed to us or the kernel has no sock_diag for `protocol` (udp on some WSL2 kernels)."""
    rows: list[Listener] = []
    for name in (protocol, f"{protocol}6"):
        try:
            with (folder / name).open(encoding="ascii") as file:
                next(file, None)
                rows += proc_rows(protocol, ports, file)
        except FileNotFoundError:
            if name == protocol:
                raise  # no table at all; the other one is only missing on a kernel without IPv6 (edge-cases.md#45)
    return rows


def read_psutil(
    protocol: TransportProtocol, ports: frozenset[int], _listening_only: bool
) -> Collection[Listener]:
    """A Table: the one for macOS, where psutil may refuse the whole for one foreign process; what is visible is shown then (edge-cases.md#18)."""
    import psutil

    rows: dict[Listener, set[int]] = {}

    def note(pid: int | None, own: Any) -> None:
        if own.laddr and own.laddr.port in ports:
            state = _state(protocol, own.status, bool(own.raddr))
            peer = (
                Endpoint(own.raddr.port, _plain_address(own.raddr.ip), protocol)
                if own.raddr
                else None
            )
            row = Listener(protocol, _plain_address(own.laddr.ip), own.laddr.port, state, peer=peer)
            rows.setdefault(row, set()).update([pid] if pid else [])

    try:
        for row in psutil.net_connections(kind=protocol):
            note(row.pid, row)
    except psutil.AccessDenied:
        for process in psutil.process_iter():
            read = (
                getattr(process, "net_connections", None) or process.connections
            )  # psutil 6 renamed it
            with suppress(psutil.Error):
                for own in read(kind=protocol):
                    note(process.pid, own)
    return [replace(row, pids=tuple(sorted(pids))) for row, pids in rows.items()]


def _plain_address(text: str) -> str:
    """An address as psutil prints it, without the interface that it belongs to."""
    return normal_address(text.partition("%")[0])


def _state(protocol: TransportProtocol, status: str, connected: bool) -> State:
    """psutil's word for a state; one that it may add some day counts as connected."""
    if protocol == "udp":
        return "connected" if connected else "bound"
    named: dict[str, State] = {"LISTEN": "listen", "CLOSE": "bound", "NONE": "bound"}
    waiting = ("FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "LAST_ACK", "CLOSING")
    return named.get(status, "closing" if status in waiting else "connected")


TABLES: tuple[Table, ...] = (read_sock_diag, read_proc, read_psutil)


def listeners(
    ports: Iterable[int],
    *,
    owners: bool = False,
    listening_only: bool = False,
    protocols: Sequence[TransportProtocol] = ("tcp", "udp"),
    tables: Sequence[Table] = TABLES,
) -> tuple[Listener, ...]:
    """Every socket of this network namespace whose local port is among `ports`, in a stable order, in all states.

    `owners` resolves `pids`, as far as they are visible (root sees all): O(all open files of the host).
    `listening_only` leaves out what does not surely block: about a quarter of the time, for what looks again and again.
    Not complete without sock_diag (bound-only sockets, another user's on macOS): where we may bind, `probe` is the truth.
    Raises DartsctlError when no table can be read: that must never read as free (edge-cases.md#19, edge-cases.md#29).
    """
    wanted = frozenset(ports)
    if not wanted:
        return ()
    rows = {
        row
        for protocol in protocols
        for row in _first_readable(protocol, wanted, listening_only, tables)
        if row.port in wanted
    }
    if listening_only:
        rows = {row for row in rows if row.surely_blocks}
    if owners:
        pids = owners_of({row.inode for row in rows} - {0})
        rows = {replace(row, pids=pids[row.inode]) if row.inode in pids else row for row in rows}
    return tuple(
        sorted(rows, key=lambda row: (row.port, row.protocol, row.address, row.state, row.inode))
    )


def occupied(protocol: TransportProtocol, ports: range) -> Mapping[int, Sequence[Listener]] | None:
    """The sockets on those of `ports` that have any, without their owners; None where a socket may be in the way and in no table.

    Every udp socket with a port is listed. Of tcp's, bound-only ones are from Linux 6.8 on, by sock_diag alone. sctp has no table.
    """
    if (
        protocol == "sctp"
        or sys.platform != "linux"
        or (protocol == "tcp" and not _shows_bound_sockets())
    ):
        return None
    found: dict[int, list[Listener]] = {}
    for row in listeners(ports, protocols=(protocol,)):
        found.setdefault(row.port, []).append(row)
    return found


def _shows_bound_sockets() -> bool:
    """Whether the kernel lists a tcp socket that is bound and does not listen: tried on one of our own."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        try:
            trial.bind(("127.0.0.1", 0))
            number = trial.getsockname()[1]
            return any(
                row.port == number for row in read_sock_diag("tcp", frozenset({number}), False)
            )
        except OSError:
            return False


def _first_readable(
    protocol: TransportProtocol,
    ports: frozenset[int],
    listening_only: bool,
    tables: Sequence[Table],
) -> Collection[Listener]:
    failures: list[str] = []
    for table in tables:
        try:
            return table(protocol, ports, listening_only)
        except OSError as error:
            failures.append(f"{table.__name__}: {error.strerror or error}")
    raise DartsctlError(
        f"the {protocol} sockets of this host cannot be listed",
        hint="look as root, then try again: sudo ss -tulpn",
        details=tuple(failures),
    )


def owners_of(inodes: Collection[int]) -> dict[int, tuple[int, ...]]:
    """The processes that have each socket open, lowest first, by one walk of /proc; sockets without a visible owner are absent.

    A whole walk: a reloader's pair, forked workers and forgotten children share one socket (edge-cases.md#22, edge-cases.md#26), and each of them keeps the port.
    """
    found: dict[int, list[int]] = {}
    names = {f"socket:[{inode}]": inode for inode in inodes}
    for pid in _processes() if names else ():
        try:
            folder = os.open(f"/proc/{pid}/fd", os.O_RDONLY | os.O_DIRECTORY)
        except OSError:  # another user's, or gone
            continue
        try:
            open_here = _links(folder) & names.keys()
        finally:
            os.close(folder)
        for name in open_here:
            found.setdefault(names[name], []).append(pid)
    return {inode: tuple(pids) for inode, pids in found.items()}


def _processes() -> list[int]:
    with os.scandir("/proc") as entries:
        return sorted(int(entry.name) for entry in entries if entry.name.isdecimal())


def _links(folder: int) -> set[str]:
    links: set[str] = set()
    try:
        for name in os.listdir(folder):
            try:
                links.add(os.readlink(name, dir_fd=folder))
            except OSError:  # closed meanwhile
                continue
    except OSError:  # the process ended meanwhile
        return links
    return links


def local_addresses() -> tuple[str, ...]:
    """Every IPv4 and IPv6 address of this host's interfaces, loopback's too, sorted; without link-local IPv6, which no binding can name."""
    import psutil

    families = (socket.AF_INET, socket.AF_INET6)
    found = {
        normal_address(one.address.partition("%")[0])
        for some in psutil.net_if_addrs().values()
        for one in some
        if one.family in families
    }
    return tuple(
        sorted(address for address in found if not address.startswith(("fe8", "fe9", "fea", "feb")))
    )


def has_ipv6() -> bool:
    """Whether [::1]:0 can be listened on; where it cannot, the engine drops the `::` half of a binding (engine-rules.md#what-is-bound, edge-cases.md#45)."""
    return probe(Endpoint(0, "::1")) is Probe.FREE


def unprivileged_port_start() -> int:
    """The first port that needs no privilege (edge-cases.md#17): Linux's sysctl, 1024 elsewhere."""
    try:
        return int(
            Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii")
        )
    except OSError:
        return 1024


def ephemeral_range() -> tuple[int, int] | None:
    """The first and last port that the kernel hands out by itself (ip_local_port_range), None where it does not tell."""
    try:
        first, last = (
            Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()
        )
    except OSError:
        return None
    return int(first), int(last)
