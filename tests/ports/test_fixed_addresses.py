"""Fixed container addresses: which ones no `up` gets, and which ones it may lose."""

from __future__ import annotations

import pytest

from dartsctl.ports.fixed_addresses import (
    KEEP_FREE,
    AddressRace,
    held_now,
    networks_of_interest,
    races,
    taken_addresses,
)
from dartsctl.records import replace
from dartsctl.stack.containers import Container
from dartsctl.stack.convergence import converge
from dartsctl.stack.model import Network, Service, Stack
from dartsctl.stack.subnets import NetworkUse, Subnet
from fakes.kernel import container

NET = Network("demo_n", subnets=(Subnet("10.9.0.0/24", reserved={"router": "10.9.0.9"}),))
USED = NetworkUse((Subnet("10.9.0.0/24"),), {"10.9.0.5": container("demo", "db").id})


def service(name: str, *addresses: str, replicas: int = 1) -> Service:
    fixed = {"n": addresses} if addresses else {}
    return Service(name, replicas=replicas, networks={"n": 0}, fixed_addresses=fixed)


def demo(*services: Service, network: Network = NET) -> Stack:
    return Stack("demo", {each.name: each for each in services}, {"n": network})


def taken(stack: Stack, *containers: Container, use: NetworkUse | None = None) -> list[str]:
    """Return why addresses of the stack cannot be had."""
    uses = {"demo_n": use} if use else {}
    convergence = converge(stack, containers, {"db": "same", "web": "same"})
    return [each.why for each in taken_addresses(stack, uses, containers, convergence)]


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("10.9.0.5", None),
        ("10.9.0.1", "it is the network's gateway"),
        ("10.9.0.0", "it is the address of the subnet itself"),
        ("10.9.0.255", "it is the subnet's broadcast address"),
        ("10.9.0.9", "it is reserved for router"),
        ("10.9.1.5", "it is outside of the network's subnet 10.9.0.0/24"),
        ("fd00::5", "it is outside of the network's subnet 10.9.0.0/24"),
    ],
)
def test_the_files_alone_say_which_addresses_no_container_gets(
    address: str, why: str | None
) -> None:
    assert taken(demo(service("web", address))) == ([why] if why else [])


def test_a_declared_gateway_and_a_range_replace_the_first_address() -> None:
    declared = replace(NET, subnets=(Subnet("10.9.0.0/24", gateway="10.9.0.254"),))
    assert taken(demo(service("web", "10.9.0.254"), network=declared)) == [
        "it is the network's gateway"
    ]
    assert taken(demo(service("web", "10.9.0.1"), network=declared)) == []
    ranged = replace(NET, subnets=(Subnet("10.9.0.0/24", ip_range="10.9.0.128/25"),))
    assert taken(demo(service("web", "10.9.0.1"), network=ranged)) == [], "not known"


def test_without_a_subnet_in_the_files_no_fixed_address_is_possible() -> None:
    (why,) = taken(demo(service("web", "10.9.0.5"), network=Network("demo_n")))
    assert "no subnet in its `ipam` config" in why
    outside = Network("demo_n", external=True)
    assert taken(demo(service("web", "10.9.0.5"), network=outside)) == [], "not said by the files"
    plugin = Network("demo_n", has_own_ipam=True)
    assert taken(demo(service("web", "10.9.0.5"), network=plugin)) == []


def test_two_services_or_replicas_with_one_address_are_named() -> None:
    stack = demo(service("web", "10.9.0.5"), service("db", "10.9.0.5"))
    assert taken(stack) == ["service web has the same one"]
    assert taken(demo(service("web", "10.9.0.5", replicas=2))) == ["2 replicas cannot share it"]
    assert taken(demo(service("web", "10.9.0.5"), service("db", "10.9.0.5", replicas=0))) == []


def test_a_container_that_stays_has_its_address_and_is_named_with_its_project() -> None:
    stack = demo(service("web", "10.9.0.5"), service("db"))
    assert taken(stack, container("demo", "db"), use=USED) == ["container demo-db-1 has it"]
    replaced = container("demo", "db", config_hash="other")
    assert taken(stack, replaced, use=USED) == [], "it is stopped first"
    other = container("other", "web")
    use = replace(USED, addresses={"10.9.0.5": other.id})
    assert taken(stack, other, use=use) == ["container other-web-1 of project other has it"]
    own = container("demo", "web")
    assert taken(stack, own, use=replace(USED, addresses={"10.9.0.5": own.id})) == []


def test_a_network_that_compose_makes_anew_is_judged_by_the_files() -> None:
    stack = demo(service("web", "10.9.0.5"), service("db"))
    other = NetworkUse((Subnet("10.8.0.0/24"),), USED.addresses)
    assert taken(stack, container("demo", "db"), use=other) == []


def test_after_the_engines_error_the_present_holder_is_named() -> None:
    stack = demo(service("web", "10.9.0.5"), service("db"))
    (holder,) = held_now(stack, {"demo_n": USED}, [container("demo", "db", config_hash="new")])
    sentence = "web cannot have the address 10.9.0.5 on demo_n: container demo-db-1 has it"
    assert holder.sentence == sentence
    assert holder.line == f"{sentence}; {KEEP_FREE}"
    assert holder.document()["reason"] == "container"


def test_an_address_in_the_dynamic_range_may_go_to_another_service() -> None:
    stack = demo(service("web", "10.9.0.5"), service("db"), service("idle", replicas=0))
    assert list(races(stack)) == [AddressRace("web", "10.9.0.5", "demo_n", ("db",))]
    ranged = replace(NET, subnets=(Subnet("10.9.0.0/24", ip_range="10.9.0.128/25"),))
    assert list(races(replace(stack, networks={"n": ranged}))) == []
    assert list(races(demo(service("web", "10.9.0.5"), service("db", "10.9.0.6")))) == []
    assert list(races(demo(service("web", "10.9.1.5"), service("db")))) == [], "it is a conflict"


def test_only_networks_with_a_fixed_address_are_asked_for() -> None:
    assert networks_of_interest(demo(service("web"), service("db"))) == frozenset()
    assert networks_of_interest(demo(service("web", "10.9.0.5"))) == {"demo_n"}
