"""The formats of Linux's socket tables: messages (sock_diag) and text (/proc/net)."""

from __future__ import annotations

import _socket
import struct
from functools import lru_cache

from dartsctl.ports.listeners import Listener
from dartsctl.records import replace
from dartsctl.stack.bindings import Endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from dartsctl.ports.listeners import State
    from dartsctl.stack.bindings import TransportProtocol

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h
NETLINK_SOCK_DIAG = 4
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NLM_F_REQUEST_DUMP = 0x301
_TCPDIAG_GETSOCK, _SOCK_DIAG_BY_FAMILY = 18, 20
_REQ_BYTECODE = 1
_BC_JMP, _BC_S_GE, _BC_S_LE = 1, 2, 3
_SKV6ONLY = 11
_HEADER = struct.Struct("=IHHII")
_HEADER_START = struct.Struct("=IH")
"""Length and kind of a message."""
_ATTRIBUTE = struct.Struct("=HH")
_MESSAGE = struct.Struct("=BB2x2s2s16s16s12x12xII")
"""inet_diag_msg: family, state, ports and addresses of both ends, uid, inode."""
_LOCAL_PORT = struct.Struct(">4xH")
"""Of the same message, only the local port."""
_ROW_START = struct.Struct("=IH14xBB")
"""A header and the first fields of such a message: length, kind, both bytes of the local port."""

# A comparison is one operation, and a second one that carries the port. The length of an attribute
# has 16 bits.
_COMPARISON = struct.Struct("=BBHxxH")
_JUMP = struct.Struct("=BBH")
_BYTES_PER_RANGE = 2 * _COMPARISON.size + _JUMP.size
_MOST_RANGES = (0xFFFF - _ATTRIBUTE.size) // _BYTES_PER_RANGE

ALL_PORTS = range(65536)

_ADDRESS_BYTES = {_socket.AF_INET: 4, _socket.AF_INET6: 16}
_MAPPED = b"\0" * 10 + b"\xff\xff"
"""The first bytes of an IPv4-mapped IPv6 address."""

_ESTABLISHED, _LISTEN = 1, 10
_EVERY_STATE = 0xFFFF_FFFF
"""Bit 13, bound but not listening, is kernel 6.8 and newer. Older ones ignore unknown bits."""
_TCP_STATES: dict[int, State] = {
    1: "connected",  # ESTABLISHED
    2: "connected",  # SYN_SENT
    3: "connected",  # SYN_RECV
    4: "closing",  # FIN_WAIT1
    5: "closing",  # FIN_WAIT2
    6: "closing",  # TIME_WAIT
    7: "bound",  # CLOSE: bound, and not listening
    8: "connected",  # CLOSE_WAIT: the peer has gone, the process still has it
    9: "closing",  # LAST_ACK
    10: "listen",
    11: "closing",  # CLOSING
    12: "connected",  # NEW_SYN_RECV
    13: "bound",  # BOUND_INACTIVE
}


def ranges(ports: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Return the fewest (first, last) pairs that are exactly `ports`, ascending."""
    merged: list[tuple[int, int]] = []
    first = last = -1
    for port in sorted(set(ports)):
        if port != last + 1 or first < 0:
            if first >= 0:
                merged.append((first, last))
            first = port
        last = port
    if first >= 0:
        merged.append((first, last))
    return tuple(merged)


def requests(
    protocol: TransportProtocol, ports: frozenset[int], *, listening_only: bool = False
) -> tuple[bytes, ...]:
    """Return the sock_diag dumps that together show every socket on these local ports.

    Send each after the end of the one before. `ports` has at least one number, each within
    1..65535. The answers may hold other ports too where `ports` has thousands of gaps.
    """
    attribute = _port_filter(ports)
    if protocol == "tcp":
        # The older form of the request walks the kernel's hash tables once for both families. They
        # have megabytes: that is most of the time spent, but for the table of listening sockets.
        states = 1 << _LISTEN if listening_only else _EVERY_STATE
        return (_message(_TCPDIAG_GETSOCK, struct.pack("=52xII", states, 0) + attribute),)
    return tuple(
        _message(
            _SOCK_DIAG_BY_FAMILY,
            struct.pack("=BBxxI48x", family, _socket.IPPROTO_UDP, _EVERY_STATE) + attribute,
        )
        for family in (_socket.AF_INET, _socket.AF_INET6)
    )


@lru_cache(maxsize=1)  # each protocol is asked about the same ports
def _port_filter(ports: frozenset[int]) -> bytes:
    chosen = ranges(ports)
    if len(chosen) > _MOST_RANGES:
        chosen = ((chosen[0][0], chosen[-1][1]),)
    code = _bytecode(chosen)
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(code), _REQ_BYTECODE) + code


def answer(protocol: TransportProtocol, datagram: bytes) -> tuple[list[Listener], bool]:
    """Return the rows in one datagram of a dump, and whether the dump ends with it.

    Raises OSError with the kernel's errno.
    """
    spans, is_last = _spans(datagram)
    return [_row(protocol, datagram, start, end) for start, end in spans], is_last


def local_ports(datagram: bytes) -> tuple[set[int], bool]:
    """Return only the local ports in one datagram, and whether the dump ends with it.

    Raises OSError with the kernel's errno.
    """
    ports, read = _ports_of_first_rows(datagram)
    spans, is_last = _spans(datagram, read)
    ports.update(_LOCAL_PORT.unpack_from(datagram, start)[0] for start, _ in spans)
    return ports, is_last


def _ports_of_first_rows(datagram: bytes) -> tuple[set[int], int]:
    """Return the local ports of the first rows that are equally long, and where these end.

    Mostly that is all of them, and reading them in one go takes half the time.
    """
    ports: set[int] = set()
    read = 0
    length, _ = _HEADER_START.unpack_from(datagram)
    if length <= _ROW_START.size or length % 4:
        return ports, read
    row = struct.Struct(f"{_ROW_START.format}{length - _ROW_START.size}x")
    for own_length, kind, high, low in row.iter_unpack(
        datagram[: len(datagram) // length * length]
    ):
        if own_length != length or kind in (_NLMSG_ERROR, _NLMSG_DONE):
            break
        ports.add(high << 8 | low)
        read += length
    return ports, read


def _spans(datagram: bytes, offset: int = 0) -> tuple[list[tuple[int, int]], bool]:
    """Return where the rows from `offset` on begin and end, and whether the dump ends with them."""
    spans: list[tuple[int, int]] = []
    size = len(datagram)
    while offset < size:
        length, kind = _HEADER_START.unpack_from(datagram, offset)
        if kind in (_NLMSG_ERROR, _NLMSG_DONE):
            _raise_refusal(kind, datagram[offset + _HEADER.size : offset + length])
            return spans, True
        spans.append((offset + _HEADER.size, offset + length))
        offset += (length + 3) & ~3
    return spans, False


def _raise_refusal(kind: int, body: bytes) -> None:
    """Raise OSError if a dump that ends has failed."""
    if kind == _NLMSG_ERROR or len(body) >= 4:
        (code,) = struct.unpack_from("=i", body)
        if code < 0:
            raise OSError(-code, "sock_diag refused the dump")


def proc_rows(
    protocol: TransportProtocol, ports: Container[int], lines: Iterable[str]
) -> Iterator[Listener]:
    """Yield the rows of /proc/net/{tcp,tcp6,udp,udp6} whose local port is among `ports`.

    `lines` come without the heading. This table shows neither V6ONLY nor sockets that are bound
    and do not listen.
    """
    for line in lines:
        fields = line.split(maxsplit=10)
        address, _, port = fields[1].partition(":")
        if int(port, 16) not in ports:
            continue
        row = _listener(
            protocol,
            _packed(address),
            int(port, 16),
            int(fields[3], 16),
            v6only=None,
            uid=int(fields[7]),
            inode=int(fields[9]),
        )
        yield _with_peer(row, _end(fields[2])) if row.is_connection else row


def _end(text: str) -> Endpoint:
    """One end of a connection as /proc/net prints it."""
    address, _, port = text.partition(":")
    return Endpoint(int(port, 16), _address(_packed(address)))


def _with_peer(row: Listener, peer: Endpoint) -> Listener:
    return replace(row, peer=replace(peer, protocol=row.protocol))


def _message(kind: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, _NLM_F_REQUEST_DUMP, 0, 0) + body


def _bytecode(chosen: tuple[tuple[int, int], ...]) -> bytes:
    """`first <= port <= last` for any of the ascending ranges, as jumps.

    A jump to the end accepts, a jump 4 bytes behind it refuses.
    """
    parts: list[bytes] = []
    left = _BYTES_PER_RANGE * len(chosen) - _JUMP.size
    for number, (first, last) in enumerate(chosen, start=1):
        # Below this range and above all before it: no other range can have the port.
        parts.append(_COMPARISON.pack(_BC_S_GE, _COMPARISON.size, left + 4, first))
        left -= _COMPARISON.size
        if number == len(chosen):
            parts.append(_COMPARISON.pack(_BC_S_LE, _COMPARISON.size, left + 4, last))
            break
        parts.append(
            _COMPARISON.pack(_BC_S_LE, _COMPARISON.size, _COMPARISON.size + _JUMP.size, last)
        )
        left -= _COMPARISON.size
        parts.append(_JUMP.pack(_BC_JMP, _JUMP.size, left))
        left -= _JUMP.size
    return b"".join(parts)


def _row(protocol: TransportProtocol, datagram: bytes, start: int, end: int) -> Listener:
    family, state, port, peer_port, address, peer, uid, inode = _MESSAGE.unpack_from(
        datagram, start
    )
    v6only: bool | None = None
    at = start + _MESSAGE.size
    while at < end:
        length, kind = _ATTRIBUTE.unpack_from(datagram, at)
        if kind == _SKV6ONLY:
            v6only = datagram[at + _ATTRIBUTE.size] != 0
        at += (length + 3) & ~3
    size = _ADDRESS_BYTES[family]
    number = int.from_bytes(port, "big")
    row = _listener(protocol, address[:size], number, state, v6only=v6only, uid=uid, inode=inode)
    if not row.is_connection:
        return row
    return _with_peer(row, Endpoint(int.from_bytes(peer_port, "big"), _address(peer[:size])))


def _packed(text: str) -> bytes:
    """An address as /proc/net prints it: 32-bit words as numbers of this machine's byte order."""
    return b"".join(struct.pack("=I", int(text[at : at + 8], 16)) for at in range(0, len(text), 8))


def _address(packed: bytes) -> str:
    """Return the normal spelling (bindings.normal_address) of an address of 4 or 16 bytes."""
    if len(packed) == 4:
        return _socket.inet_ntop(_socket.AF_INET, packed)
    if packed.startswith(_MAPPED):
        return _socket.inet_ntop(_socket.AF_INET, packed[12:])
    return _socket.inet_ntop(_socket.AF_INET6, packed)


def _listener(
    protocol: TransportProtocol,
    packed: bytes,
    port: int,
    number: int,
    *,
    v6only: bool | None,
    uid: int,
    inode: int,
) -> Listener:
    """A row. `number` is the kernel's TCP state."""
    address = _address(packed)
    return Listener(
        protocol,
        address,
        port,
        _state(protocol, number),
        v6only=v6only if ":" in address else None,
        inode=inode,
        # Without an inode no process has it open (TIME_WAIT, orphans). The uid 0 that is printed
        # then is not root's.
        uid=uid if inode else None,
    )


def _state(protocol: TransportProtocol, number: int) -> State:
    """The state of a socket. udp borrows the numbers of TCP: ESTABLISHED is a connected socket."""
    if protocol != "udp":
        return _TCP_STATES.get(number, "connected")
    return "connected" if number == _ESTABLISHED else "bound"
