"""The kernel's formats: byte code that filters ports; dumps and /proc/net lines as Listeners."""

from __future__ import annotations

import errno
import random
import socket
import struct
from functools import partial

import pytest

from dartsctl.ports.listeners import Listener
from dartsctl.ports.socket_table import answer, local_ports, proc_rows, ranges, requests

NLMSG_ERROR, NLMSG_DONE, SOCK_DIAG = 2, 3, 20


def test_neighbouring_ports_become_one_range() -> None:
    assert ranges([443, 80, 5002, 5001, 5003, 5001]) == ((80, 80), (443, 443), (5001, 5003))


def test_tcp_is_asked_once_for_both_families_and_udp_once_for_each() -> None:
    assert len(requests("tcp", frozenset({80}))) == 1
    assert len(requests("udp", frozenset({80}))) == 2


# The filter: what the kernel does with it, written down from net/ipv4/inet_diag.c


def bytecode(request: bytes) -> bytes:
    """The filter in a TCPDIAG_GETSOCK request.

    It comes after the header, inet_diag_req (60 bytes) and the head of the attribute.
    """
    (length,) = struct.unpack_from("=I", request)
    assert length == len(request)
    size, kind = struct.unpack_from("=HH", request, 76)
    assert (size, kind) == (len(request) - 76, 1)
    return request[80:]


def kernel_admits(code: bytes) -> bool:
    """As inet_diag_bc_audit: `yes` jumps lead through all operations to the end.

    Each `no` lands on one, or 4 behind the end.
    """
    starts, at = set(), 0
    while at < len(code):
        starts.add(at)
        at += code[at + 1]
    if at != len(code):
        return False
    for start in starts:
        operation, yes, no = struct.unpack_from("=BBH", code, start)
        least = 4 if operation == 1 else 8
        target = start + no
        if yes < least or no < least or yes % 4 or no % 4 or target > len(code) + 4:
            return False
        if target < len(code) and target not in starts:
            return False
    return True


def kernel_accepts(code: bytes, port: int) -> bool:
    """inet_diag_bc_run: a socket is shown when the walk ends exactly at the end."""
    at = 0
    while at < len(code):
        operation, yes, no = struct.unpack_from("=BBH", code, at)
        (operand,) = struct.unpack_from("=H", code, at + 6) if operation != 1 else (0,)
        holds = {1: False, 2: port >= operand, 3: port <= operand}[operation]
        at += yes if holds else no
    return at == len(code)


@pytest.mark.parametrize("seed", range(20))
def test_the_kernel_shows_exactly_the_ports_asked_for(seed: int) -> None:
    chance = random.Random(seed)
    ports = {
        chance.choice([1, 80, 443, 65535, *range(5000, 5100)]) for _ in range(chance.randint(1, 60))
    }
    code = bytecode(requests("tcp", frozenset(ports))[0])
    assert kernel_admits(code)
    near = {port + step for port in ports for step in (-1, 0, 1)} | {0, 65535}
    assert {port for port in near if kernel_accepts(code, port)} == ports


def test_more_gaps_than_a_filter_can_hold_ask_for_all_between() -> None:
    code = bytecode(requests("tcp", frozenset(range(1001, 65000, 2)))[0])
    assert kernel_admits(code)
    assert [kernel_accepts(code, port) for port in (1000, 1001, 1002, 64999, 65000)] == [
        False,
        True,
        True,
        True,
        False,
    ]


# The answer


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 2, 0, 0) + body + b"\0" * (-len(body) % 4)


def row(
    family: int,
    state: int,
    port: int,
    address: str,
    *,
    uid: int = 1000,
    inode: int = 77,
    v6only: bool | None = None,
) -> bytes:
    packed = socket.inet_pton(family, address).ljust(16, b"\0")
    body = (
        struct.pack("=BBBB", family, state, 0, 0)
        + struct.pack("!HH", port, 0)
        + packed
        + b"\0" * 28
        + struct.pack("=IIIII", 0, 0, 0, uid, inode)
    )
    shutdown = struct.pack("=HHB3x", 5, 8, 0)
    return message(
        SOCK_DIAG,
        body + shutdown + (b"" if v6only is None else struct.pack("=HHB3x", 5, 11, v6only)),
    )


END = message(NLMSG_DONE, struct.pack("=i", 0))


def test_a_datagram_without_an_end_has_more_to_come() -> None:
    rows, done = answer("tcp", row(socket.AF_INET, 10, 80, "0.0.0.0"))
    assert (rows, done) == ([Listener("tcp", "0.0.0.0", 80, "listen", None, 77, 1000)], False)


def test_the_local_ports_are_those_of_the_rows() -> None:
    alike = row(socket.AF_INET, 10, 80, "0.0.0.0") + row(socket.AF_INET, 10, 443, "127.0.0.1")
    longer = row(socket.AF_INET6, 10, 5001, "::1", v6only=True)
    assert local_ports(alike) == ({80, 443}, False)
    assert local_ports(alike + END) == ({80, 443}, True)
    assert local_ports(alike + longer + alike + END) == ({80, 443, 5001}, True)
    assert local_ports(longer + alike) == ({80, 443, 5001}, False)
    assert local_ports(END) == (set(), True)


def test_v6only_is_what_the_kernel_says_of_an_ipv6_socket() -> None:  # edge-cases.md#2
    dual = row(socket.AF_INET6, 10, 80, "::", v6only=False)
    own = row(socket.AF_INET6, 10, 80, "::", v6only=True)
    silent = row(socket.AF_INET6, 1, 80, "::1")
    rows, done = answer("tcp", dual + own + silent + END)
    assert [listener.v6only for listener in rows] == [False, True, None]
    assert done


def test_an_ipv4_mapped_socket_is_an_ipv4_one() -> None:
    rows, _ = answer("tcp", row(socket.AF_INET6, 10, 80, "::ffff:127.0.0.1", v6only=False) + END)
    assert rows == [Listener("tcp", "127.0.0.1", 80, "listen", None, 77, 1000)]


@pytest.mark.parametrize(
    ("number", "state"),
    [
        (1, "connected"),
        (2, "connected"),
        (4, "closing"),
        (6, "closing"),
        (7, "bound"),
        (8, "connected"),
        (10, "listen"),
        (13, "bound"),
        (99, "connected"),
    ],
)
def test_a_tcp_state_is_one_of_four(number: int, state: str) -> None:
    rows, _ = answer("tcp", row(socket.AF_INET, number, 80, "127.0.0.1") + END)
    assert [listener.state for listener in rows] == [state]


def test_a_socket_that_no_process_has_open_belongs_to_nobody() -> None:
    rows, _ = answer("tcp", row(socket.AF_INET, 6, 80, "127.0.0.1", uid=0, inode=0) + END)
    assert [(listener.inode, listener.uid) for listener in rows] == [(0, None)]


@pytest.mark.parametrize("kind", [NLMSG_ERROR, NLMSG_DONE])
def test_a_dump_that_is_refused_after_rows_is_an_error(kind: int) -> None:
    refusal = message(kind, struct.pack("=i", -errno.ENOENT) + b"\0" * 16)
    for read in (local_ports, partial(answer, "tcp")):
        with pytest.raises(OSError, match="refused"):
            read(row(socket.AF_INET, 10, 80, "0.0.0.0") + refusal)


@pytest.mark.parametrize("kind", [NLMSG_ERROR, NLMSG_DONE])
def test_a_refused_dump_is_an_error_and_not_an_empty_table(kind: int) -> None:
    with pytest.raises(OSError, match="refused") as caught:
        answer("tcp", message(kind, struct.pack("=i", -errno.ENOENT) + b"\0" * 16))
    assert caught.value.errno == errno.ENOENT


# The text

LINES = """\
   0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000\
  1000        0 4711 1 0000000000000000 100 0 0 10 0
12345: 0100007F:1388 0100007F:C350 06 00000000:00000000 03:00000B5C 00000000\
     0        0 0 3 0000000000000000
   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000\
     0        0 4712 1 0000000000000000 100 0 0 10 0
"""
LINES6 = """\
   0: 0000000000000000FFFF00000100007F:1388 00000000000000000000000000000000:0000 0A 0:0 00:0 0\
  1000        0 4713 1 0 100 0 0 10 0
   1: 00000000000000000000000001000000:1388 00000000000000000000000000000000:0000 0A 0:0 00:0 0\
  1000        0 4714 1 0 100 0 0 10 0
"""


@pytest.mark.skipif(
    struct.pack("=H", 1) != b"\1\0", reason="the lines were recorded on a little-endian machine"
)
def test_the_text_table_gives_the_rows_of_the_ports_asked_for() -> None:
    assert list(proc_rows("tcp", frozenset({5000}), LINES.splitlines())) == [
        Listener("tcp", "127.0.0.1", 5000, "listen", None, 4711, 1000),
        Listener("tcp", "127.0.0.1", 5000, "closing", None, 0, None),
    ]
    assert [
        listener.address for listener in proc_rows("tcp", frozenset({5000}), LINES6.splitlines())
    ] == [
        "127.0.0.1",
        "::1",
    ]
