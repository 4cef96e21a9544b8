"""The sockets of another network namespace, by the kernel's own tables: this process's, and recorded rows."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from dartsctl.edges.host import network_namespace
from dartsctl.stack.bindings import Endpoint

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1388 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 41 1 0000000000000000 100 0 0 10 0
   1: 0300C90A:A2B4 0200C90A:1388 02 00000001:00000000 01:00000032 00000001     0        0 42 2 0000000000000000 200 0 0 1 7
   2: 0300C90A:A2B6 0500C90A:1F90 06 00000000:00000000 03:00001565 00000000     0        0 0 3 0000000000000000
"""
TCP6 = """  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 43
"""

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


def test_what_listens_is_told_with_its_address() -> None:
    assert network_namespace.listening((TCP, TCP6)) == (
        Endpoint(80, "::"),
        Endpoint(5000, "127.0.0.1"),
    )


def test_whom_it_is_connected_to_counts_from_the_first_packet_on() -> None:
    """SYN_SENT is a proxy that waits for an address which nobody has any more."""
    assert network_namespace.peers((TCP, TCP6)) == (
        Endpoint(5000, "10.201.0.2"),
        Endpoint(8080, "10.201.0.5"),
    )


@pytest.mark.parametrize(
    "text", ["", "sh: cat: not found", "\n\n", "  sl  local_address rem_address\n"]
)
def test_what_is_no_table_has_no_rows(text: str) -> None:
    assert network_namespace.listening((text,)) == ()
    assert network_namespace.peers((text,)) == ()


@linux
def test_our_own_sockets_are_among_them() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_connection(one.getsockname()):
        port = one.getsockname()[1]
        tables = network_namespace.tables(os.getpid())
        assert tables is not None
        assert Endpoint(port, "127.0.0.1") in network_namespace.listening(tables)
        assert Endpoint(port, "127.0.0.1") in network_namespace.peers(tables)


def test_a_process_that_is_not_there_is_unknown_and_not_empty() -> None:
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
    """A container's `cat` has written it."""
    text = f"{TCP}{row}\n"
    assert network_namespace.listening([text]) == network_namespace.listening([TCP])
    assert network_namespace.peers([text]) == network_namespace.peers([TCP])
