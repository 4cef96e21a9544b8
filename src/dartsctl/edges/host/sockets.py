"""The kernel's view of ports: bind probes, sockets and their owners, and this host's addresses.

Only of this network namespace (edge-cases.md#27, edge-cases.md#28): inside a container, or for a
remote engine, the results say nothing about the engine's host.
"""

from __future__ import annotations

import _socket
import errno
import sys
from pathlib import Path

from dartsctl.edges.host.socket_owners import owners_of
from dartsctl.edges.host.socket_readers import (
    read_addresses,
    read_listening_ports,
    read_proc,
    read_psutil,
    read_sock_diag,
)
from dartsctl.errors import DartsctlError
from dartsctl.ports.listeners import Listener, Probe
from dartsctl.records import replace
from dartsctl.stack.bindings import ANY_IPV6, Endpoint
from dartsctl.system.plain_socket import PlainSocket

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from dartsctl.edges.host.socket_readers import SocketReader
    from dartsctl.stack.bindings import TransportProtocol

_KINDS = {
    "tcp": (_socket.SOCK_STREAM, _socket.IPPROTO_TCP),
    "udp": (_socket.SOCK_DGRAM, _socket.IPPROTO_UDP),
    "sctp": (_socket.SOCK_STREAM, getattr(_socket, "IPPROTO_SCTP", 132)),
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
_TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)
_BACKLOG = 2048
"""Connections that wait while a server starts or reloads, at most net.core.somaxconn."""
_LINK_LOCAL = ("fe8", "fe9", "fea", "feb")


def probe(endpoint: Endpoint, *, udp_reuse_address: bool = False) -> Probe:
    """Return what the kernel says to the bind that the engine would do.

    The port is free again on return (engine-rules.md#host-sockets). FORBIDDEN does not tell whether
    the port is free (edge-cases.md#17).
    `udp_reuse_address`: only for engine 28.x (engine-rules.md#one-implementation).
    Raises DartsctlError if the kernel gives no answer (no descriptors or memory left), because that
    must never count as free.
    """
    protocol = endpoint.protocol
    try:
        with PlainSocket(_family(endpoint), *_KINDS[protocol]) as trial:
            if protocol == "tcp" or (protocol == "udp" and udp_reuse_address):
                trial.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
            if endpoint.is_ipv6:
                trial.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 1)
            trial.bind((endpoint.address, endpoint.port))
            if protocol != "udp":
                # with SO_REUSEADDR two sockets can both bind: only listen fails (edge-cases.md#8)
                trial.listen(1)
    except OSError as error:
        if error.errno in _ANSWERS:
            return _ANSWERS[error.errno]
        raise DartsctlError(
            f"cannot test whether {endpoint} is free: {error.strerror or error}",
            hint="ulimit -n 4096" if error.errno in _TOO_MANY_FILES else "ss -tuan",
        ) from error
    return Probe.FREE


def listen_on(endpoint: Endpoint) -> socket.socket | None:
    """Return a tcp socket that listens on `endpoint`, for a server. None if the port is taken.

    It listens at once: two sockets with SO_REUSEADDR can both bind, and the first one that listens
    wins (edge-cases.md#8). Raises DartsctlError as `probe` does.
    """
    if probe(endpoint) is not Probe.FREE:
        return None
    import socket  # a server is given more than the kernel's part of it

    listener = socket.socket(_family(endpoint), socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((endpoint.address, endpoint.port))
        listener.listen(_BACKLOG)
    except OSError:  # taken since the probe
        listener.close()
        return None
    return listener


def _family(endpoint: Endpoint) -> int:
    return _socket.AF_INET6 if endpoint.is_ipv6 else _socket.AF_INET


READERS: tuple[SocketReader, ...] = (read_sock_diag, read_proc, read_psutil)


def listeners(
    ports: Iterable[int],
    *,
    owners: bool = False,
    listening_only: bool = False,
    protocols: Sequence[TransportProtocol] = ("tcp", "udp"),
    readers: Sequence[SocketReader] = READERS,
) -> tuple[Listener, ...]:
    """Return every socket of this network namespace on the local `ports`, in all states, sorted.

    `owners` fills `pids`, as far as they are visible (root sees all). Its cost grows with the open
    files of the host.
    `listening_only` leaves out what does not surely block, and takes about a quarter of the time.
    Without sock_diag the result is incomplete (sockets that are only bound, another user's on
    macOS): where we may bind, `probe` is the truth.
    Raises DartsctlError if no reader works, because that must never count as free
    (edge-cases.md#19, edge-cases.md#29).
    """
    wanted = frozenset(ports)
    if not wanted:
        return ()
    rows: set[Listener] = set()
    for protocol in protocols:
        table = _first_readable(protocol, wanted, readers, listening_only=listening_only)
        rows.update(row for row in table if row.port in wanted)
    if listening_only:
        rows = {row for row in rows if row.surely_blocks}
    if owners:
        pids = owners_of({row.inode for row in rows} - {0})
        rows = {replace(row, pids=pids.get(row.inode, row.pids)) for row in rows}
    return tuple(
        sorted(rows, key=lambda row: (row.port, row.protocol, row.address, row.state, row.inode))
    )


def listening_ports(
    ports: Iterable[int], *, read: Callable[[frozenset[int]], set[int]] = read_listening_ports
) -> frozenset[int]:
    """Return those of `ports` on which a tcp socket listens, whatever its address.

    Raises DartsctlError as `listeners` does.
    """
    wanted = frozenset(ports)
    if not wanted:
        return wanted
    try:
        return wanted & read(wanted)
    except OSError:
        rows = listeners(wanted, listening_only=True, protocols=("tcp",))
        return frozenset(row.port for row in rows)


def has_listener(port: int) -> bool:
    """Return whether a tcp socket listens on `port`, whatever its address.

    Raises DartsctlError as `listeners` does.
    """
    if sys.platform != "linux":
        return port in listening_ports([port])
    try:
        # Linux binds the wildcard of both families only where no socket listens. The table would
        # take four times as long, and we do not listen: nobody can connect meanwhile.
        with PlainSocket(_socket.AF_INET6, _socket.SOCK_STREAM) as trial:
            trial.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
            trial.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, 0)
            trial.bind((ANY_IPV6, port))
    except OSError:  # also for other sockets, and on a kernel without IPv6
        return port in listening_ports([port])
    return False


def occupied(
    protocol: TransportProtocol, ports: Collection[int]
) -> Mapping[int, Sequence[Listener]] | None:
    """Return the sockets on those of `ports` that have any, without their owners.

    None if sockets may be in the way that no table lists. Every udp socket with a port is listed.
    tcp sockets that are only bound are listed from Linux 6.8 on, by sock_diag. sctp has no table.
    """
    if protocol == "sctp" or sys.platform != "linux":
        return None
    if protocol == "tcp" and not _lists_bound_sockets():
        return None
    rows: dict[int, list[Listener]] = {}
    for row in listeners(ports, protocols=(protocol,)):
        rows.setdefault(row.port, []).append(row)
    return rows


def _lists_bound_sockets() -> bool:
    """Return whether the kernel lists a tcp socket that is bound and does not listen.

    Tested with a socket of our own.
    """
    with PlainSocket(_socket.AF_INET, _socket.SOCK_STREAM) as trial:
        try:
            trial.bind(("127.0.0.1", 0))
            number = trial.getsockname()[1]
            rows = read_sock_diag("tcp", frozenset({number}), listening_only=False)
        except OSError:
            return False
    return any(row.port == number for row in rows)


def _first_readable(
    protocol: TransportProtocol,
    ports: frozenset[int],
    readers: Sequence[SocketReader],
    *,
    listening_only: bool,
) -> Collection[Listener]:
    """Return the sockets from the first reader that works here."""
    failures: list[str] = []
    for read in readers:
        try:
            return read(protocol, ports, listening_only=listening_only)
        except OSError as error:
            failures.append(f"{read.__name__}: {error.strerror or error}")
    raise DartsctlError(
        f"cannot list the {protocol} sockets of this host",
        hint="sudo ss -tulpn",
        details=tuple(failures),
    )


def local_addresses() -> tuple[str, ...]:
    """Return every IPv4 and IPv6 address of this host's interfaces, sorted, loopback included.

    Without link-local IPv6 addresses, which no binding can name.
    """
    return tuple(sorted(entry for entry in read_addresses() if not entry.startswith(_LINK_LOCAL)))


def own_names() -> frozenset[str]:
    """Return this host's name in lower case, and its addresses."""
    return frozenset({_socket.gethostname().lower(), *local_addresses()})


def has_ipv6() -> bool:
    """Return whether [::1] can be listened on.

    If not, the engine drops the `::` half of a binding (engine-rules.md#what-is-bound,
    edge-cases.md#45).
    """
    return probe(Endpoint(0, "::1")) is Probe.FREE


def ephemeral_range() -> tuple[int, int] | None:
    """Return the first and last port that the kernel assigns by itself, None if unknown.

    Linux: ip_local_port_range.
    """
    file = Path("/proc/sys/net/ipv4/ip_local_port_range")
    try:
        first, last = file.read_text(encoding="ascii").split()
    except OSError:
        return None
    return int(first), int(last)
