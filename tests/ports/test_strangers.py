"""Who is on production's ports: the stack, dartsctl's own, or a stranger, and what follows."""

from __future__ import annotations

from typing import Any

import pytest

from dartsctl.ports.allocation import Allocation
from dartsctl.ports.attribution import Attribution
from dartsctl.ports.holders import DevLease, ForeignContainer, HostProcess, Unknown
from dartsctl.ports.listeners import Listener
from dartsctl.ports.process import Process
from dartsctl.ports.strangers import Effect, Lookout, Occupation, WantedPort, wanted_ports
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.containers import Container
from dartsctl.stack.engine_rules import EngineRules
from dartsctl.stack.model import PortEntry, Service, Stack
from fakes.kernel import FakeKernel, container, listening

ENGINE = EngineRules(version="29.0.0")
PYTHON = Process(70, "python", 1, ("python", "run.py"))
PROXY = Process(71, "docker-proxy", 1)
OURS = (Endpoint(5000, "127.0.0.1"),)
EVERYWHERE = (Endpoint(5000, "0.0.0.0"), Endpoint(5000, "::"))
APP = container("shop", "app", *OURS)


def stack(*ports: PortEntry, **more: Any) -> Stack:
    return Stack("shop", {"app": Service("app", ports=ports, **more)}, {})


def seen(
    *rows: Listener,
    containers: tuple[Container, ...] = (),
    wanted: tuple[Endpoint, ...] = OURS,
    engine: EngineRules = ENGINE,
    on_host: bool = False,
    **kernel: Any,
) -> Occupation:
    """Return who is on port 5000, of the protocol of the rows."""
    protocol = rows[0].protocol if rows else "tcp"
    host = FakeKernel(rows=rows, processes=(PYTHON, PROXY), forwarders=(71,), **kernel)
    owners = Attribution(stack(), containers, host)
    lookout = Lookout(stack(), engine, containers, owners, own_pids=frozenset((99,)))
    port = WantedPort(5000, protocol, "app", wanted, on_host=on_host)
    (occupation,) = lookout.occupations([port], {5000: rows})
    return occupation


def effects(occupation: Occupation) -> list[Effect]:
    return [stranger.effect for stranger in occupation.strangers]


@pytest.mark.parametrize(
    ("address", "wanted", "effect"),
    [
        ("127.0.0.1", OURS, Effect.CONFLICT),
        ("0.0.0.0", OURS, Effect.CONFLICT),
        ("127.0.0.1", EVERYWHERE, Effect.CONFLICT),
        ("192.0.2.2", EVERYWHERE, Effect.CONFLICT),
        ("::1", EVERYWHERE, Effect.CONFLICT),
        ("::1", OURS, Effect.LOCALHOST),
        ("127.0.0.1", (Endpoint(5000, "::1"),), Effect.LOCALHOST),
        ("192.0.2.2", OURS, Effect.BESIDE),
        ("fd00::2", OURS, Effect.BESIDE),
        ("127.0.0.1", (), Effect.DOCUMENTED),
    ],
)
def test_the_address_decides_what_a_stranger_does(
    address: str, wanted: tuple[Endpoint, ...], effect: Effect
) -> None:
    assert effects(seen(listening(address, 5000, pids=(70,)), wanted=wanted)) == [effect]


@pytest.mark.parametrize(("v6only", "effect"), [(True, Effect.LOCALHOST), (False, Effect.CONFLICT)])
def test_a_dual_stack_listener_is_on_ipv4_too(v6only: bool, effect: Effect) -> None:
    assert effects(seen(listening("::", 5000, pids=(70,), v6only=v6only))) == [effect]


def test_one_process_on_two_addresses_is_one_stranger_with_the_worse_effect() -> None:
    rows = (listening("::1", 5000, pids=(70,)), listening("127.0.0.1", 5000, pids=(70,)))
    (stranger,) = seen(*rows).strangers
    assert isinstance(stranger.holder, HostProcess)
    assert stranger.holder.process.pid == 70
    assert stranger.effect is Effect.CONFLICT
    assert [place.address for place in stranger.endpoints] == ["::1", "127.0.0.1"]


def test_a_socket_that_is_only_bound_may_be_in_the_way() -> None:
    row = Listener("tcp", "127.0.0.1", 5000, "bound", pids=(70,))
    assert effects(seen(row)) == [Effect.DOUBTFUL]


def test_a_connection_that_uses_the_number_is_no_stranger() -> None:
    row = Listener("tcp", "192.0.2.2", 5000, "connected", pids=(70,))
    assert seen(row, wanted=EVERYWHERE).strangers == ()


@pytest.mark.parametrize(
    ("version", "effect"), [("29.0.0", Effect.CONFLICT), ("28.5.2", Effect.DOUBTFUL)]
)
def test_whether_a_udp_socket_is_in_the_way_depends_on_the_engine(
    version: str, effect: Effect
) -> None:
    row = Listener("udp", "127.0.0.1", 5000, "bound", pids=(70,))
    place = (Endpoint(5000, "127.0.0.1", "udp"),)
    assert effects(seen(row, wanted=place, engine=EngineRules(version=version))) == [effect]


def test_the_forwarder_of_an_own_container_is_the_stack() -> None:
    for pids in ((71,), ()):
        occupation = seen(listening("127.0.0.1", 5000, pids=pids), containers=(APP,))
        assert (occupation.own, occupation.strangers) == ("app", ())


def test_without_a_userland_proxy_a_process_on_the_same_endpoint_is_a_stranger() -> None:
    occupation = seen(listening("127.0.0.1", 5000, pids=(70,)), containers=(APP,))
    assert occupation.own == "app"
    assert effects(occupation) == [Effect.CONFLICT]


def test_a_forwarder_for_which_the_engine_lists_no_port_is_a_stranger() -> None:
    (stranger,) = seen(listening("127.0.0.1", 5000, pids=(71,))).strangers
    assert isinstance(stranger.holder, Unknown)


def test_a_container_of_another_project_is_a_stranger_once() -> None:
    other = container("elsewhere", "web", Endpoint(5000, "0.0.0.0"))
    (stranger,) = seen(listening("0.0.0.0", 5000, pids=(71,)), containers=(other,)).strangers
    assert isinstance(stranger.holder, ForeignContainer)
    assert stranger.effect is Effect.CONFLICT


def test_an_orphan_and_a_one_off_of_the_project_are_no_strangers() -> None:
    for own in (container("shop", "gone", *OURS), container("shop", "app", *OURS, one_off=True)):
        assert seen(listening("127.0.0.1", 5000, pids=(71,)), containers=(own,)).strangers == ()


def test_a_process_of_an_own_container_on_the_host_network_is_no_stranger() -> None:
    own = container("shop", "app")
    occupation = seen(
        listening("0.0.0.0", 5000, pids=(70,)), containers=(own,), in_containers={70: own.id}
    )
    assert (occupation.own, occupation.strangers) == ("app", ())


def test_an_invisible_owner_is_the_own_container_where_that_listens_on_the_host() -> None:
    row = listening("0.0.0.0", 5000, uid=0)
    own = container("shop", "app")
    assert seen(row, containers=(own,), on_host=True).strangers == ()
    stopped = container("shop", "app", state="exited")
    assert effects(seen(row, containers=(stopped,), on_host=True)) == [Effect.CONFLICT]
    assert effects(seen(row, containers=(own,))) == [Effect.CONFLICT]


def test_a_lease_and_what_this_program_holds_are_no_strangers() -> None:
    lease = DevLease(PYTHON, "/srv/shop", "http://localhost:5000")
    leased = seen(listening("127.0.0.1", 5000, pids=(70,)), leases={(70, 5000): lease})
    assert (leased.own, leased.strangers) == (lease.summary, ())
    held = seen(Listener("tcp", "127.0.0.1", 5000, "bound", pids=(99,)))
    assert (held.own, held.strangers) == ("reserved by this watch", ())


def test_the_ports_are_those_of_the_stack_and_the_documented_ones() -> None:
    published = stack(
        PortEntry(80, "tcp", "5000", "127.0.0.1"),
        PortEntry(53, "udp", "5000", "127.0.0.1"),
        PortEntry(81, "tcp", "6000-6010", ""),
    )
    documented = Allocation({5000: "app", 5432: "db", 8080: ""}, {5000: "dartsctl.toml:3"})
    ports = wanted_ports(published, ENGINE, documented)
    assert [(port.name, port.service, port.origin) for port in ports] == [
        ("5000/tcp", "app", "dartsctl.toml:3"),
        ("5000/udp", "app", "dartsctl.toml:3"),
        ("5432/tcp", "db", ""),
    ]
    assert ports[0].endpoints == OURS
    assert ports[2].endpoints == ()


def test_a_port_that_is_published_on_two_addresses_is_one_port_with_both() -> None:
    entries = (
        PortEntry(80, "tcp", "5000", "127.0.0.1"),
        PortEntry(81, "tcp", "5000", "192.0.2.2"),
        PortEntry(82, "tcp", "5000", "127.0.0.1"),
    )
    (port,) = wanted_ports(stack(*entries), ENGINE, Allocation({}, {}))
    assert port.endpoints == (*OURS, Endpoint(5000, "192.0.2.2"))


def test_a_udp_socket_on_the_number_of_a_tcp_port_is_no_stranger() -> None:
    rows = (
        listening("127.0.0.1", 5000, pids=(71,)),
        Listener("udp", "127.0.0.1", 5000, "bound", pids=(70,)),
    )
    assert seen(*rows, containers=(APP,)).strangers == ()


def test_nobody_is_taken_for_the_stack_on_localhost_by_udp() -> None:
    row = Listener("udp", "::1", 5000, "bound", pids=(70,))
    assert effects(seen(row, wanted=(Endpoint(5000, "127.0.0.1", "udp"),))) == [Effect.BESIDE]
