"""The host as a workflow sees it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from dartsctl.ports.attribution import Attribution
from dartsctl.ports.holders import HostProcess
from dartsctl.ports.listeners import Probe
from dartsctl.stack.bindings import Endpoint
from dartsctl.workflows.host import Host

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

_walks: list[str] = []


def _count(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook: notes each listing of all processes."""
    if event == "os.listdir" and arguments == ("/proc",):
        _walks.append(event)


@pytest.fixture(scope="module")
def _counted() -> None:
    sys.addaudithook(_count)  # there is no way to remove it


@pytest.fixture
def walks(_counted: None) -> list[str]:
    """The walks of all processes in this test, one entry each."""
    _walks.clear()
    return _walks


@pytest.fixture
def open_here() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_a_view_that_only_reads_binds_nothing_and_still_sees_sockets() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = Endpoint(server.getsockname()[1], "127.0.0.1")
        assert Host().probe(taken, udp_reuse_address=False) is Probe.IN_USE
        host = Host().reading_only()
        assert host.probe(taken, udp_reuse_address=False) is Probe.FORBIDDEN
        (row,) = host.listeners(taken.port)
        assert row.surely_blocks


def taken_ports(stack: ExitStack, count: int) -> list[Endpoint]:
    servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
    return [Endpoint(server.getsockname()[1], "127.0.0.1") for server in servers]


@linux_only
def test_the_owners_of_all_expected_ports_are_found_in_one_walk(
    open_here: ExitStack, walks: list[str]
) -> None:
    endpoints = taken_ports(open_here, 20)
    host = Host()
    host.expect([endpoint.port for endpoint in endpoints])
    attribution = Attribution(None, (), host)
    holders = [attribution.holders_of_socket(endpoint) for endpoint in endpoints]
    assert all(isinstance(holder, HostProcess) for (holder,) in holders)
    assert len(walks) == 1


@linux_only
def test_ports_without_a_socket_need_no_walk(walks: list[str]) -> None:
    assert Host().blockers(1) == ()
    assert walks == []


@linux_only
def test_what_only_connects_is_no_blocker_and_is_read_where_nothing_blocks(
    open_here: ExitStack,
) -> None:
    server = open_here.enter_context(socket.create_server(("127.0.0.1", 0)))
    client = open_here.enter_context(socket.create_connection(server.getsockname()))
    place = Endpoint(client.getsockname()[1], "127.0.0.1")
    host = Host()
    assert host.blockers(place.port) == ()
    assert [row.state for row in host.listeners(place.port)] == ["connected"]
    assert host.blockers(place.port) == ()
    (holder,) = Attribution(None, (), Host()).holders_of_socket(place)
    assert "open connection" in holder.evidence


def test_all_sockets_of_a_port_include_what_blocks(open_here: ExitStack) -> None:
    (taken,) = taken_ports(open_here, 1)
    host = Host()
    rows = host.listeners(taken.port)
    assert host.blockers(taken.port) == rows


@linux_only
def test_listeners_are_looked_up_at_once_where_the_ports_are_many(open_here: ExitStack) -> None:
    taken = taken_ports(open_here, 2)[0].port
    bound_only = open_here.enter_context(socket.socket())
    bound_only.bind(("127.0.0.1", 0))
    silent = bound_only.getsockname()[1]
    many = {taken, silent, *range(1, 41)}
    assert taken in (heard := Host().heard_among(many) or ())
    assert silent not in heard
    assert Host().heard_among({taken, silent}) is None, "a bind for each of them is cheaper"
