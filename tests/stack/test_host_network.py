"""Which ports of the host a container on the host's network binds.

Source: edge-cases.md#53.
"""

from __future__ import annotations

from dartsctl.stack.compose_model import read_stack
from dartsctl.stack.host_network import host_bindings
from dartsctl.stack.model import PortEntry, Stack


def stack_of(expose: list[str | int], *listens: PortEntry, mode: str = "host") -> Stack:
    from dartsctl.records import replace

    service = {"network_mode": mode, "expose": expose}
    stack = read_stack({"name": "demo", "services": {"web": service}})
    return replace(stack, services={"web": replace(stack.services["web"], listens=listens)})


def places(stack: Stack) -> tuple[list[str], list[str]]:
    bindings = host_bindings(stack)
    listened = [f"{each.addresses[0]} {each.published}" for each in bindings.listened]
    exposed = [f"{each.published}/{each.protocol}" for each in bindings.exposed]
    return listened, exposed


def test_exposed_ports_are_ports_of_the_host_in_every_form() -> None:
    exposed: list[str | int] = ["53/udp", 3000, "4000-4002", "3000", "4001"]
    bindings = ["53/udp", "3000/tcp", "4000/tcp", "4001/tcp", "4002/tcp"]
    assert places(stack_of(exposed)) == ([], bindings)
    assert all(each.on_host for each in host_bindings(stack_of(exposed)).exposed)


def test_on_another_network_they_are_not() -> None:
    assert places(stack_of([3000], mode="")) == ([], [])
    assert places(stack_of([3000], mode="service:app")) == ([], [])


def test_where_nginx_names_the_address_expose_adds_nothing() -> None:
    listens = PortEntry(8000, "tcp", "8000-8001", "127.0.0.1", count=2)
    stack = stack_of([8000, 8001, 8002], listens)
    assert places(stack) == (["127.0.0.1 8000", "127.0.0.1 8001"], ["8002/tcp"])


def test_nginx_binds_only_the_wildcard_beside_a_single_address() -> None:
    single, wildcard = (
        PortEntry(80, "tcp", "80", "127.0.0.1"),
        PortEntry(80, "tcp", "80", "0.0.0.0"),
    )
    both = PortEntry(80, "tcp", "80", "::")
    assert places(stack_of([], single, wildcard, both))[0] == ["0.0.0.0 80", ":: 80"]


def test_a_huge_range_is_cut() -> None:
    (binding,) = host_bindings(stack_of(["1-65535"])).exposed
    assert binding.numbers == range(1, 4097)


def test_production_counts_them_as_its_ports() -> None:
    stack = stack_of([3000, "53/udp"], PortEntry(81, "tcp", "81", "127.0.0.1"))
    assert stack.published_ports == {81: "web", 3000: "web"}
