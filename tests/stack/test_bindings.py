"""Addresses, endpoints and port bindings: their spelling, and which of them exclude each other.

Sources: engine-rules.md#host-sockets, engine-rules.md#other-containers.
"""

from __future__ import annotations

import pytest

from dartsctl.stack.bindings import (
    Endpoint,
    PortBinding,
    bracketed,
    normal_address,
    parse_protocol,
    reachable_address,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.stack.bindings import TransportProtocol


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0.0.0.0", "0.0.0.0"),
        ("127.0.0.1", "127.0.0.1"),
        ("::", "::"),
        ("[::]", "::"),
        ("[::1]", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("FD00:0::2", "fd00::2"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("[::ffff:1.2.3.4]", "1.2.3.4"),
        ("::ffff:7f00:1", "127.0.0.1"),
        ("::1.2.3.4", "::1.2.3.4"),
    ],
)
def test_an_address_has_one_spelling(text: str, address: str) -> None:  # edge-cases.md#50
    assert normal_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "1.2.3",
        "1.2.3.4.5",
        "256.0.0.1",
        "fe80::1%eth0",
        "[::1",
        "::1]",
        "127.0.0.1:80",
        ":::",
    ],
)
def test_anything_but_an_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an IP address"):
        normal_address(text)


@pytest.mark.parametrize(
    ("address", "reachable"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.1", "10.0.0.1"), ("::1", "::1")],
)
def test_a_wildcard_is_reached_by_the_loopback_of_its_family(address: str, reachable: str) -> None:
    assert reachable_address(address) == reachable


def test_ipv6_has_brackets_in_urls() -> None:
    hosts = ("::1", "127.0.0.1", "localhost", "")
    assert [bracketed(host) for host in hosts] == ["[::1]", "127.0.0.1", "localhost", ""]


@pytest.mark.parametrize("text", ["tcp", "udp", "sctp"])
def test_three_protocols_are_accepted(text: str) -> None:
    assert parse_protocol(text) == text


@pytest.mark.parametrize("text", ["", "TCP", "http", "tcp6"])
def test_other_protocols_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a protocol"):
        parse_protocol(text)


@pytest.mark.parametrize(
    ("endpoint", "text"),
    [
        (Endpoint(5000, "0.0.0.0"), "0.0.0.0:5000/tcp"),
        (Endpoint(53, "::1", "udp"), "[::1]:53/udp"),
    ],
)
def test_an_endpoint_is_shown_as_the_engine_writes_it(endpoint: Endpoint, text: str) -> None:
    assert str(endpoint) == text


# engine-rules.md#other-containers: X if two containers cannot both publish the two addresses.
# The row and column of an IPv6 address of this host are from engine-rules.md#versions.

ADDRESSES = ("0.0.0.0", "127.0.0.1", "192.0.2.2", "::", "::1", "fd00::2")
EXCLUDES = {
    "0.0.0.0": "X X X - - -",
    "127.0.0.1": "X X - - - -",
    "192.0.2.2": "X - X - - -",
    "::": "- - - X X X",
    "::1": "- - - X X -",
    "fd00::2": "- - - X - X",
}
CELLS = [
    (address, other, cell == "X")
    for address, row in EXCLUDES.items()
    for other, cell in zip(ADDRESSES, row.split(), strict=True)
]


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize(("address", "other", "excluded"), CELLS)
def test_two_containers_exclude_each_other_if_their_addresses_overlap(
    address: str, other: str, excluded: bool, protocol: TransportProtocol
) -> None:  # edge-cases.md#5
    assert Endpoint(5000, address, protocol).excludes(Endpoint(5000, other, protocol)) is excluded


@pytest.mark.parametrize(
    "other",
    [
        Endpoint(5000, "0.0.0.0", "udp"),
        Endpoint(5000, "0.0.0.0", "sctp"),
        Endpoint(5001, "0.0.0.0"),
    ],
    ids=["udp", "sctp", "next port"],
)
def test_another_protocol_or_port_never_excludes(other: Endpoint) -> None:  # edge-cases.md#6
    assert not Endpoint(5000, "0.0.0.0").excludes(other)
    assert not other.excludes(Endpoint(5000, "0.0.0.0"))


def wanted(
    first: int, last: int, *addresses: str, protocol: TransportProtocol = "tcp"
) -> PortBinding:
    return PortBinding("a", 1, 80, protocol, first, last, addresses)


def test_a_fixed_port_is_a_range_of_one() -> None:
    fixed = wanted(5000, 5000, "0.0.0.0", "::")
    assert (fixed.is_range, fixed.published, list(fixed.numbers)) == (False, "5000", [5000])
    assert fixed.endpoints(5000) == (Endpoint(5000, "0.0.0.0"), Endpoint(5000, "::"))


def test_a_range_includes_both_ends() -> None:
    span = wanted(5000, 5002, "127.0.0.1")
    assert (span.is_range, span.published, list(span.numbers)) == (
        True,
        "5000-5002",
        [5000, 5001, 5002],
    )


@pytest.mark.parametrize(
    ("binding", "other", "may"),
    [
        (wanted(5000, 5000, "0.0.0.0", "::"), wanted(5000, 5000, "::1"), True),
        (wanted(5000, 5000, "0.0.0.0"), wanted(5000, 5000, "::"), False),
        (wanted(5000, 5000, "0.0.0.0"), wanted(5001, 5001, "0.0.0.0"), False),
        (wanted(5000, 5009, "0.0.0.0"), wanted(5009, 5009, "127.0.0.1"), True),
        (wanted(5000, 5009, "0.0.0.0"), wanted(5010, 5019, "0.0.0.0"), False),
        (wanted(5000, 5009, "0.0.0.0"), wanted(5005, 5019, "0.0.0.0"), True),
        (wanted(5000, 5009, "127.0.0.1"), wanted(5005, 5019, "192.0.2.2"), False),
        (wanted(5000, 5000, "0.0.0.0"), wanted(5000, 5000, "0.0.0.0", protocol="udp"), False),
    ],
    ids=[
        "families meet",
        "families differ",
        "ports differ",
        "range ends on it",
        "ranges touch not",
        "ranges meet",
        "addresses differ",
        "protocols",
    ],
)
def test_two_bindings_may_exclude_each_other_if_number_and_address_overlap(
    binding: PortBinding, other: PortBinding, may: bool
) -> None:
    assert binding.may_exclude(other) is may
    assert other.may_exclude(binding) is may
