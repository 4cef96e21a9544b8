"""A held endpoint keeps everybody else out, and nobody can connect to it."""

from __future__ import annotations

import itertools
import socket
from contextlib import closing

import pytest

from dartsctl.edges.host.sockets import probe
from dartsctl.edges.reserve.holding import hold
from dartsctl.ports.listeners import Probe
from dartsctl.stack.bindings import Endpoint
from own_ports import free_ports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.stack.bindings import TransportProtocol

KINDS: dict[TransportProtocol, socket.SocketKind] = {
    "tcp": socket.SOCK_STREAM,
    "udp": socket.SOCK_DGRAM,
}
OPTIONS = (socket.SO_REUSEADDR, socket.SO_REUSEPORT)


def squat(endpoint: Endpoint, *options: int, v6only: bool = False) -> bool:
    """Whether somebody else gets the endpoint, as far as listening."""
    family = socket.AF_INET6 if endpoint.is_ipv6 else socket.AF_INET
    with socket.socket(family, KINDS[endpoint.protocol]) as trial:
        for option in options:
            trial.setsockopt(socket.SOL_SOCKET, option, 1)
        if endpoint.is_ipv6:
            trial.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
        try:
            trial.bind((endpoint.address, endpoint.port))
            if endpoint.protocol == "tcp":
                trial.listen(1)
        except OSError:
            return False
    return True


@pytest.mark.parametrize("protocol", KINDS)
@pytest.mark.parametrize(
    ("held", "others"),
    [
        ("0.0.0.0", ("0.0.0.0", "127.0.0.1", "::")),
        ("127.0.0.1", ("0.0.0.0", "127.0.0.1", "::")),
        ("::", ("::", "::1")),
        ("::1", ("::", "::1")),
    ],
)
def test_no_option_lets_anybody_bind_beside_it(
    protocol: TransportProtocol, held: str, others: tuple[str, ...]
) -> None:
    (port,) = free_ports(1)
    with closing(hold(Endpoint(port, held, protocol))):
        for address in others:
            for count in range(3):
                for options in itertools.combinations(OPTIONS, count):
                    assert not squat(Endpoint(port, address, protocol), *options), options


@pytest.mark.parametrize(
    ("held", "other"),
    [
        (Endpoint(0, "127.0.0.1"), Endpoint(0, "127.0.0.2")),
        (Endpoint(0, "0.0.0.0"), Endpoint(0, "0.0.0.0", "udp")),
        (Endpoint(0, "0.0.0.0"), Endpoint(0, "::1")),
        (Endpoint(0, "::"), Endpoint(0, "0.0.0.0")),
    ],
)
def test_what_does_not_meet_it_stays_free(held: Endpoint, other: Endpoint) -> None:
    (port,) = free_ports(1)
    with closing(hold(Endpoint(port, held.address, held.protocol))):
        assert squat(Endpoint(port, other.address, other.protocol))


def test_nobody_can_connect_to_it_and_it_is_free_once_it_is_closed() -> None:
    endpoint = Endpoint(free_ports(1)[0], "0.0.0.0")
    with closing(hold(endpoint)):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", endpoint.port), 10)
        assert probe(endpoint) is Probe.IN_USE
    assert probe(endpoint) is Probe.FREE


def test_connections_that_a_server_has_closed_do_not_keep_it_from_being_held() -> None:
    """As right after `down`: a plain bind would fail for a minute, and a squatter would not."""
    endpoint = Endpoint(free_ports(1)[0], "0.0.0.0")
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((endpoint.address, endpoint.port))
    server.listen(1)
    client = socket.create_connection(("127.0.0.1", endpoint.port), 10)
    accepted, _ = server.accept()
    for end in (accepted, client, server):
        end.close()
    assert not squat(endpoint)
    with closing(hold(endpoint)):
        assert not squat(endpoint, socket.SO_REUSEADDR)


def test_what_somebody_has_cannot_be_held() -> None:
    endpoint = Endpoint(free_ports(1)[0], "127.0.0.1")
    with socket.socket() as server:
        server.bind((endpoint.address, endpoint.port))
        with pytest.raises(OSError, match="in use"):
            hold(endpoint)
