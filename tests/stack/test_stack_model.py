"""What port entries, networks and stacks say about themselves."""

from __future__ import annotations

import pytest

from dartsctl.stack.model import Network, PortEntry, Service, Stack, image_name


@pytest.mark.parametrize(
    ("entry", "ephemeral", "text"),
    [
        (PortEntry(80, "tcp", "21080"), False, "21080:80/tcp"),
        (PortEntry(80, "tcp", "21088-21090"), False, "21088-21090:80/tcp"),
        (PortEntry(80, "tcp", "21081", "127.0.0.1"), False, "127.0.0.1:21081:80/tcp"),
        (PortEntry(80, "udp", "21082", "::1"), False, "[::1]:21082:80/udp"),
        (PortEntry(80, "tcp", "0"), True, "0:80/tcp"),
        (PortEntry(80, "tcp"), True, "80/tcp"),
    ],
    ids=str,
)
def test_an_entry_without_a_number_is_ephemeral(
    entry: PortEntry, ephemeral: bool, text: str
) -> None:  # edge-cases.md#48
    assert (entry.is_ephemeral, str(entry)) == (ephemeral, text)


@pytest.mark.parametrize(
    ("published", "span"), [("5000", (5000, 5000)), ("5000-5009", (5000, 5009))]
)
def test_the_span_of_a_published_text(published: str, span: tuple[int, int]) -> None:
    assert PortEntry(80, "tcp", published).span == span


def test_an_ephemeral_entry_has_no_span() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        _ = PortEntry(80, "tcp").span


@pytest.mark.parametrize(
    ("network", "publishes"),
    [
        (Network("n"), True),
        (Network("n", driver="overlay"), True),
        (Network("n", internal=True), False),
        (Network("n", driver="macvlan"), False),
        (Network("n", driver="ipvlan"), False),
    ],
    ids=["bridge", "overlay", "internal", "macvlan", "ipvlan"],
)
def test_internal_macvlan_and_ipvlan_networks_publish_nothing(
    network: Network, publishes: bool
) -> None:
    assert network.publishes is publishes


def test_published_ports_are_the_fixed_tcp_numbers_of_what_starts() -> None:
    services = (
        Service(
            "web",
            ports=(
                PortEntry(80, "tcp", "8080"),
                PortEntry(443, "udp", "8443"),
                PortEntry(81, "tcp"),
            ),
        ),
        Service("many", ports=(PortEntry(80, "tcp", "9000-9002"),)),
        Service("late", ports=(PortEntry(80, "tcp", "8080"),)),
        Service("off", replicas=0, ports=(PortEntry(80, "tcp", "7000"),)),
        Service("alone", network_mode="none", ports=(PortEntry(80, "tcp", "7001"),)),
    )
    model = Stack("demo", {service.name: service for service in services}, {})
    assert model.published_ports == {8080: "web", 9000: "many", 9001: "many", 9002: "many"}


def test_registry_port_tag_and_digest_are_no_part_of_the_name() -> None:
    assert image_name("host:5000/a/Postgres:16@sha256:0") == "postgres"
