"""The host as a workflow sees it."""

from __future__ import annotations

import socket

from dartsctl.ports.listeners import Probe
from dartsctl.stack.bindings import Endpoint
from dartsctl.workflows.host import Host


def test_a_view_that_only_reads_binds_nothing_and_still_sees_sockets() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = Endpoint(server.getsockname()[1], "127.0.0.1")
        assert Host().probe(taken, udp_reuse_address=False) is Probe.IN_USE
        host = Host().reading_only()
        assert host.probe(taken, udp_reuse_address=False) is Probe.FORBIDDEN
        (row,) = host.listeners(taken.port)
        assert row.surely_blocks
