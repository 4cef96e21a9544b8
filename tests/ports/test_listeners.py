"""What a row of the socket table says by itself.

The measured truth table is in tests/edges/host/test_sockets.py.
"""

from __future__ import annotations

import pytest

from dartsctl.ports.listeners import Listener
from dartsctl.stack.bindings import Endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.ports.listeners import State
    from dartsctl.stack.bindings import TransportProtocol


@pytest.mark.parametrize(
    ("v6only", "meets"),
    [(False, True), (None, True), (True, False)],
    ids=["dual stack", "not told", "v6only"],
)
def test_an_ipv6_wildcard_meets_ipv4_unless_it_is_surely_v6only(
    v6only: bool | None, meets: bool
) -> None:  # edge-cases.md#2
    row = Listener("tcp", "::", 5000, "listen", v6only)
    assert row.overlaps(Endpoint(5000, "127.0.0.1")) is meets
    assert row.overlaps(Endpoint(5000, "::1"))


@pytest.mark.parametrize(
    ("protocol", "state", "surely"),
    [
        ("tcp", "listen", True),
        ("tcp", "bound", False),
        ("tcp", "connected", False),
        ("tcp", "closing", False),
        ("udp", "bound", True),
        ("udp", "connected", True),
    ],
)
def test_a_tcp_socket_that_does_not_listen_blocks_only_perhaps(
    protocol: TransportProtocol, state: State, surely: bool
) -> None:
    assert Listener(protocol, "127.0.0.1", 5000, state).surely_blocks is surely


def test_a_row_is_compared_by_its_own_port_and_protocol() -> None:  # edge-cases.md#6
    row = Listener("tcp", "0.0.0.0", 5000, "listen")
    assert row.endpoint == Endpoint(5000, "0.0.0.0", "tcp")
    assert not row.overlaps(Endpoint(5001, "0.0.0.0"))
    assert not row.overlaps(Endpoint(5000, "0.0.0.0", "udp"))
