"""Which ports inside a container must have a listener, and which listeners count."""

from __future__ import annotations

import pytest

from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.inside_ports import SilentPort, published_targets, silent_ports
from dartsctl.stack.model import PortEntry, Service


def test_published_tcp_ports_must_listen_ephemeral_ones_too() -> None:  # edge-cases.md#73
    ports = (PortEntry(80, "tcp", "8080"), PortEntry(443, "tcp"), PortEntry(53, "udp", "53"))
    assert published_targets(Service("web", ports=ports)) == {80, 443}


def test_a_row_of_many_ports_is_opened_on_demand_and_need_not_listen() -> None:
    passive = [PortEntry(30_000 + n, "tcp", str(30_000 + n)) for n in range(10)]
    ports = (PortEntry(21, "tcp", "2121"), *passive)
    assert published_targets(Service("ftp", ports=ports)) == {21}


def test_a_few_ports_in_a_row_must_listen() -> None:
    ports = (PortEntry(5671, "tcp", "5671"), PortEntry(5672, "tcp", "5672"))
    assert published_targets(Service("rabbitmq", ports=ports)) == {5671, 5672}


def test_an_entry_that_the_engine_does_not_bind_need_not_listen() -> None:
    entry = PortEntry(80, "tcp", "8080")
    assert published_targets(Service("web", ports=(entry,)), [entry]) == frozenset()


@pytest.mark.parametrize("mode", ["host", "none"])
def test_without_a_network_of_its_own_a_service_publishes_nothing(mode: str) -> None:
    service = Service("web", ports=(PortEntry(80, "tcp", "8080"),), network_mode=mode)
    assert published_targets(service) == frozenset()


@pytest.mark.parametrize(
    ("listening", "reason"),
    [
        ((), "nothing listens on port 80 inside"),
        ((Endpoint(81, "0.0.0.0"),), "nothing listens on port 80 inside"),
        ((Endpoint(80, "127.0.0.1"),), "listens only on 127.0.0.1:80/tcp inside"),
        ((Endpoint(80, "::1"),), "listens only on [::1]:80/tcp inside"),
        ((Endpoint(80, "127.0.0.1"), Endpoint(80, "0.0.0.0")), ""),
        ((Endpoint(80, "::"),), ""),
        ((Endpoint(80, "172.18.0.2"),), ""),
    ],
)
def test_a_listener_on_the_loopback_address_does_not_count(
    listening: tuple[Endpoint, ...], reason: str
) -> None:
    assert [port.reason for port in silent_ports({80}, {}, listening)] == [reason] * bool(reason)


def test_a_port_that_the_proxy_passes_requests_to_must_listen_too() -> None:
    silent = silent_ports({80}, {8000: "nginx"}, (Endpoint(80, "0.0.0.0"),))
    assert silent == (SilentPort(8000, proxy="nginx"),)
    assert silent[0].reason == (
        "nothing listens on port 8000 inside, and nginx passes requests there"
    )
