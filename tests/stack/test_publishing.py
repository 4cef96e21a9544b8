"""Which host addresses an engine binds for a `ports:` entry.

Sources: engine-rules.md#what-is-bound, engine-rules.md#no-userland-proxy,
engine-rules.md#networks, engine-rules.md#one-implementation.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dartsctl.stack.bindings import PortBinding
from dartsctl.stack.compose_model import read_stack
from dartsctl.stack.engine_rules import EngineRules
from dartsctl.stack.model import Network, PortEntry, Service, Stack
from dartsctl.stack.publishing import stack_bindings

OLD = ("20.10.24+dfsg1", "26.1.5+dfsg1")
NEW = ("28.5.2+dfsg4", "")
EVERY = (*OLD, *NEW)


def demo(*services: Service, **networks: Network) -> Stack:
    return Stack(
        "demo",
        {service.name: service for service in services},
        {"default": Network("demo_default"), **networks},
    )


def addresses(host_ip: str, engine: EngineRules, network: Network | None = None) -> list[str]:
    """Return what an entry binds on a network."""
    model = demo(Service("a", ports=(PortEntry(80, "tcp", "21000", host_ip),)))
    if network:
        model = Stack("demo", model.services, {"default": network})
    return [
        address
        for binding in stack_bindings(model, engine).bindings
        for address in binding.addresses
    ]


@pytest.mark.parametrize("version", EVERY)
@pytest.mark.parametrize(
    ("host_ip", "bound"),
    [
        ("", ["0.0.0.0", "::"]),
        ("0.0.0.0", ["0.0.0.0"]),
        ("::", ["::"]),
        ("127.0.0.1", ["127.0.0.1"]),
        ("::1", ["::1"]),
        ("192.0.2.2", ["192.0.2.2"]),
        ("::ffff:127.0.0.1", ["127.0.0.1"]),
        ("fe80::1%eth0", ["0.0.0.0", "::"]),
    ],
)
def test_an_address_is_bound_as_written_and_none_means_both_families(
    host_ip: str, bound: list[str], version: str
) -> None:  # edge-cases.md#1, edge-cases.md#50
    assert addresses(host_ip, EngineRules(version)) == bound


@pytest.mark.parametrize("version", EVERY)
@pytest.mark.parametrize(
    ("host_ip", "bound"),
    [("", ["0.0.0.0"]), ("::", ["::"]), ("::1", ["::1"]), ("0.0.0.0", ["0.0.0.0"])],
)
def test_without_ipv6_in_the_kernel_only_an_explicit_ipv6_address_is_tried(
    host_ip: str, bound: list[str], version: str
) -> None:  # edge-cases.md#45
    assert addresses(host_ip, EngineRules(version, has_ipv6=False)) == bound


@pytest.mark.parametrize("version", EVERY)
@pytest.mark.parametrize(
    ("host_ip", "ipv4_only", "with_ipv6"),
    [
        ("", ["0.0.0.0"], ["0.0.0.0", "::"]),
        ("0.0.0.0", ["0.0.0.0"], ["0.0.0.0"]),
        ("127.0.0.1", ["127.0.0.1"], ["127.0.0.1"]),
        ("::", [], ["::"]),
        ("::1", [], ["::1"]),
        ("fd00::2", [], ["fd00::2"]),
    ],
)
def test_without_the_userland_proxy_ipv6_needs_a_network_with_ipv6(
    host_ip: str, ipv4_only: list[str], with_ipv6: list[str], version: str
) -> None:  # edge-cases.md#30
    engine = EngineRules(version, userland_proxy=False)
    assert addresses(host_ip, engine) == ipv4_only
    assert addresses(host_ip, engine, Network("demo_default", ipv6=True)) == with_ipv6


@pytest.mark.parametrize(
    ("network", "host_ip", "proxy", "old", "new"),
    [
        (Network("n", host_binding_ipv4="127.0.0.1"), "", True, ["127.0.0.1"], ["127.0.0.1"]),
        (Network("n", host_binding_ipv4="0.0.0.0"), "", True, ["0.0.0.0", "::"], ["0.0.0.0", "::"]),
        (Network("n", host_binding_ipv4="::"), "", True, ["::"], ["::"]),
        (Network("n", host_binding_ipv4="::"), "", False, [], []),
        (
            Network("n", host_binding_ipv4="127.0.0.1"),
            "192.0.2.2",
            True,
            ["192.0.2.2"],
            ["192.0.2.2"],
        ),
        (Network("n", gateway_mode_ipv4="routed"), "", True, ["0.0.0.0", "::"], ["::"]),
        (Network("n", gateway_mode_ipv4="routed"), "", False, ["0.0.0.0"], []),
        (Network("n", gateway_mode_ipv4="nat"), "", True, ["0.0.0.0", "::"], ["0.0.0.0", "::"]),
        (
            Network("n", gateway_mode_ipv4="nat-unprotected"),
            "",
            True,
            ["0.0.0.0", "::"],
            ["0.0.0.0", "::"],
        ),
        (Network("n", ipv6=True), "", True, ["0.0.0.0", "::"], ["0.0.0.0", "::"]),
        (Network("n", ipv4=False, ipv6=True), "", True, ["0.0.0.0", "::"], ["::"]),
        (Network("n", ipv4=False, ipv6=True), "127.0.0.1", True, ["127.0.0.1"], []),
    ],
    ids=[
        "host binding",
        "host binding of every address",
        "host binding of ipv6",
        "host binding of ipv6 without proxy",
        "an address goes before the host binding",
        "routed",
        "routed without proxy",
        "nat",
        "nat-unprotected",
        "enable_ipv6",
        "enable_ipv4 false",
        "enable_ipv4 false, ipv4 address",
    ],
)
def test_the_networks_options_decide(
    network: Network, host_ip: str, proxy: bool, old: list[str], new: list[str]
) -> None:
    for version in OLD:
        assert addresses(host_ip, EngineRules(version, userland_proxy=proxy), network) == old
    for version in NEW:
        assert addresses(host_ip, EngineRules(version, userland_proxy=proxy), network) == new


def test_the_daemons_default_address_applies_if_the_network_has_none() -> None:
    engine = EngineRules("28.5.2", default_address="127.0.0.1")
    assert addresses("", engine) == ["127.0.0.1"]
    assert addresses("", engine, Network("n", host_binding_ipv4="192.0.2.2")) == ["192.0.2.2"]
    assert addresses("0.0.0.0", engine) == ["0.0.0.0"]


ENTRY = (PortEntry(80, "tcp", "21000"),)


@pytest.mark.parametrize("version", EVERY)
@pytest.mark.parametrize(
    ("service", "reason"),
    [
        (Service("a", replicas=0, ports=ENTRY), "scaled to 0"),
        (Service("a", network_mode="host", networks={}, ports=ENTRY), "network_mode host"),
        (Service("a", network_mode="none", networks={}, ports=ENTRY), "network_mode none"),
        (
            Service("a", network_mode="service:b", networks={}, ports=ENTRY),
            "network_mode service:b",
        ),
        (
            Service("a", network_mode="container:b", networks={}, ports=ENTRY),
            "network_mode container:b",
        ),
        (Service("a", networks={"inner": 0}, ports=ENTRY), "only internal networks"),
        (Service("a", networks={"lan": 0}, ports=ENTRY), "only macvlan networks"),
        (Service("a", ports=(PortEntry(80, "tcp"),)), "ephemeral"),
        (Service("a", ports=(PortEntry(80, "tcp", "0"),)), "ephemeral"),
    ],
    ids=[
        "scale 0",
        "host",
        "none",
        "service:b",
        "container:b",
        "internal",
        "macvlan",
        "ephemeral",
        "zero",
    ],
)
def test_nothing_is_bound_and_the_reason_is_given(
    service: Service, reason: str, version: str
) -> None:  # edge-cases.md#48, edge-cases.md#53, edge-cases.md#54, edge-cases.md#55
    answer = stack_bindings(
        demo(
            service,
            inner=Network("demo_inner", internal=True),
            lan=Network("demo_lan", driver="macvlan"),
        ),
        EngineRules(version),
    )
    assert answer.bindings == ()
    assert [(unbound.service, unbound.entry) for unbound in answer.unbound] == [
        ("a", service.ports[0])
    ]
    assert answer.unbound[0].reason.startswith(reason)
    assert answer.uncertain == {}


@pytest.mark.parametrize(
    "service",
    [
        Service("a", ports=ENTRY),
        Service("a", network_mode="bridge", networks={}, ports=ENTRY),
        Service("a", networks={"inner": 0, "outer": 0}, ports=ENTRY),
        Service("a", networks={"outer": 0, "default": 0}, ports=ENTRY),
    ],
    ids=["default", "network_mode bridge", "internal and normal", "two normal"],
)
def test_one_publishing_network_is_enough(service: Service) -> None:
    answer = stack_bindings(
        demo(service, inner=Network("demo_inner", internal=True), outer=Network("demo_outer")),
        EngineRules("28.5.2"),
    )
    assert answer.bindings == (PortBinding("a", 1, 80, "tcp", 21000, 21000, ("0.0.0.0", "::")),)
    assert (answer.unbound, answer.uncertain) == ((), {})


@pytest.mark.parametrize("version", EVERY)
def test_a_macvlan_network_beside_a_bridge_is_uncertain(version: str) -> None:
    service = Service("a", networks={"default": 0, "lan": 0}, ports=ENTRY)
    answer = stack_bindings(
        demo(service, lan=Network("demo_lan", driver="macvlan")), EngineRules(version)
    )
    assert list(answer.uncertain) == ["a"]
    assert "macvlan" in answer.uncertain["a"]


@pytest.mark.parametrize(
    ("networks", "bound"),
    [
        ({"loopback": 0, "outer": 0}, ("127.0.0.1",)),
        ({"loopback": 0, "outer": 1}, ("0.0.0.0", "::")),
        ({"loopback": 2, "outer": 1}, ("127.0.0.1",)),
    ],
    ids=["by name", "the other by priority", "by priority"],
)
def test_the_gateway_network_decides_and_differences_are_uncertain(
    networks: dict[str, int], bound: tuple[str, ...]
) -> None:
    both = {
        "loopback": Network("demo_loopback", host_binding_ipv4="127.0.0.1"),
        "outer": Network("demo_outer"),
    }
    answer = stack_bindings(
        demo(Service("a", networks=networks, ports=ENTRY), **both), EngineRules("28.5.2")
    )
    assert [binding.addresses for binding in answer.bindings] == [bound]
    assert "networks differ" in answer.uncertain["a"]


def test_every_replica_has_its_own_bindings() -> None:  # edge-cases.md#49
    answer = stack_bindings(demo(Service("a", replicas=3, ports=ENTRY)), EngineRules("28.5.2"))
    assert [binding.replica for binding in answer.bindings] == [1, 2, 3]
    assert {binding.first for binding in answer.bindings} == {21000}


def pieces(*entries: PortEntry, version: str) -> list[tuple[str, int, str, tuple[str, ...]]]:
    answer = stack_bindings(demo(Service("a", ports=entries)), EngineRules(version))
    return [
        (binding.published, binding.target, binding.protocol, binding.addresses)
        for binding in answer.bindings
    ]


@pytest.mark.parametrize("version", NEW)
def test_since_27_entries_that_differ_only_in_the_address_are_one_piece(version: str) -> None:
    assert pieces(
        PortEntry(80, "tcp", "21000", "127.0.0.1"),
        PortEntry(80, "tcp", "21000", "192.0.2.2"),
        version=version,
    ) == [("21000", 80, "tcp", ("127.0.0.1", "192.0.2.2"))]
    assert pieces(PortEntry(80, "tcp", "21000-21002"), version=version) == [
        ("21000-21002", 80, "tcp", ("0.0.0.0", "::"))
    ]


@pytest.mark.parametrize("version", OLD)
def test_before_27_entries_are_separate_and_so_are_addresses_of_a_range(version: str) -> None:
    assert pieces(
        PortEntry(80, "tcp", "21000", "127.0.0.1"),
        PortEntry(80, "tcp", "21000", "192.0.2.2"),
        version=version,
    ) == [
        ("21000", 80, "tcp", ("127.0.0.1",)),
        ("21000", 80, "tcp", ("192.0.2.2",)),
    ]
    assert pieces(PortEntry(80, "tcp", "21000"), version=version) == [
        ("21000", 80, "tcp", ("0.0.0.0", "::"))
    ]
    assert pieces(PortEntry(80, "tcp", "21000-21002"), version=version) == [
        ("21000-21002", 80, "tcp", ("0.0.0.0",)),
        ("21000-21002", 80, "tcp", ("::",)),
    ]


@pytest.mark.parametrize("version", EVERY)
@pytest.mark.parametrize(
    "other",
    [PortEntry(81, "tcp", "21000"), PortEntry(80, "udp", "21000"), PortEntry(80, "tcp", "21001")],
    ids=["another target", "another protocol", "another port"],
)
def test_entries_that_differ_in_more_than_the_address_are_separate(
    other: PortEntry, version: str
) -> None:
    assert len(pieces(PortEntry(80, "tcp", "21000"), other, version=version)) == 2


def test_the_recorded_networks_bind_what_engine_28_bound() -> None:  # edge-cases.md#52
    model = read_stack(
        json.loads((Path(__file__).parents[1] / "data/compose/networks.json").read_text())["model"]
    )
    answer = stack_bindings(model, EngineRules("28.5.2+dfsg4"))
    assert {binding.service: binding.addresses for binding in answer.bindings} == {
        "bridge": ("0.0.0.0", "::"),
        "default": ("0.0.0.0", "::"),
        "both": ("0.0.0.0", "::"),
        "loopback": ("127.0.0.1",),
        "routed": ("::",),
        "only6": ("::",),
        "preferred": ("127.0.0.1",),
        "elsewhere": ("0.0.0.0", "::"),
    }
    assert {unbound.service for unbound in answer.unbound} == {"host", "offline", "inner", "lan"}
    assert set(answer.uncertain) == {"preferred"}
