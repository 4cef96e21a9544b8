"""The sockets of a network namespace, read from this process's tables and from recorded ones."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from dartsctl.edges.host import network_namespace
from dartsctl.stack.bindings import Endpoint

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid \
 timeout inode
   0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 41\
 1 0000000000000000 100 0 0 10 0
   1: 0300C90A:A2B4 0200C90A:1388 02 00000001:00000000 01:00000032 00000001     0        0 42\
 2 0000000000000000 200 0 0 1 7
   2: 0300C90A:A2B6 0500C90A:1F90 06 00000000:00000000 03:00001565 00000000     0        0 0 3\
 0000000000000000
"""
TCP6 = """  sl  local_address                         remote_address                        st\
 tx_queue rx_queue tr tm->when retrnsmt
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A\
 00000000:00000000 00:00000000 00000000     0        0 43
"""

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


def test_listeners_have_their_address() -> None:
    assert network_namespace.listening((TCP, TCP6)) == (
        Endpoint(80, "::"),
        Endpoint(5000, "127.0.0.1"),
    )


def test_a_connection_counts_from_its_first_packet_until_a_minute_after_its_end() -> None:
    """SYN_SENT is a proxy that waits for an address that nobody has any more."""
    rows = network_namespace.connections((TCP, TCP6))
    assert [(row.address, row.port, row.peer, row.state) for row in rows] == [
        ("10.201.0.3", 41652, Endpoint(5000, "10.201.0.2"), "connected"),
        ("10.201.0.3", 41654, Endpoint(8080, "10.201.0.5"), "closing"),
    ]


@pytest.mark.parametrize(
    "text", ["", "sh: cat: not found", "\n\n", "  sl  local_address rem_address\n"]
)
def test_a_text_without_a_table_has_no_rows(text: str) -> None:
    assert network_namespace.listening((text,)) == ()
    assert network_namespace.connections((text,)) == ()


@linux
def test_our_own_sockets_are_among_them() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()),
    ):
        port = server.getsockname()[1]
        tables = network_namespace.tables(os.getpid())
        assert tables is not None
        assert Endpoint(port, "127.0.0.1") in network_namespace.listening(tables)
        peers = [row.peer for row in network_namespace.connections(tables)]
        assert Endpoint(port, "127.0.0.1") in peers


def test_a_missing_process_is_none_and_not_empty() -> None:
    assert network_namespace.tables(2**22 + 7) is None


@pytest.mark.parametrize(
    "row",
    [
        "0: 1:2:3",
        "   0: 0100007F:1388",
        "   0: \u0661100007F:1388 00000000:0000 0A 41#",
        TCP.splitlines()[1][:60],
    ],
)
def test_a_row_that_the_kernel_would_not_write_is_left_out(row: str) -> None:
    """The text comes from a `cat` in a container."""
    text = f"{TCP}{row}\n"
    assert network_namespace.listening([text]) == network_namespace.listening([TCP])
    assert network_namespace.connections([text]) == network_namespace.connections([TCP])
