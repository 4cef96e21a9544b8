"""Which ports a watch may hold, by the containers of its stack."""

from __future__ import annotations

import pytest

from dartsctl.ports.attribution import Attribution
from dartsctl.ports.availability import Availability, Obstacle, Reason
from dartsctl.ports.holders import HostProcess, Reserved
from dartsctl.ports.listeners import Listener
from dartsctl.ports.process import Process
from dartsctl.ports.reservation import Reservation, in_short, to_hold
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.containers import Container
from dartsctl.stack.convergence import Convergence
from dartsctl.stack.engine_rules import EngineRules
from fakes.kernel import FakeKernel, busy, container

P = 21000
ANY4, ANY6, LOOPBACK4 = Endpoint(P, "0.0.0.0"), Endpoint(P, "::"), Endpoint(P, "127.0.0.1")
OTHER, UDP = Endpoint(P + 1, "0.0.0.0"), Endpoint(P, "0.0.0.0", "udp")
ALL = (ANY4, ANY6, OTHER, UDP)
HOLDING = Process(78, "python", 1, ("python", "-I"))


def published_by(stopped: Container) -> tuple[Endpoint, ...]:
    return stopped.published


def test_without_a_container_everything_is_held() -> None:
    assert to_hold(ALL, (), published_by) == ALL


@pytest.mark.parametrize("state", ["running", "paused", "restarting", "stopping"])
def test_a_stack_that_runs_or_comes_back_by_itself_gets_its_ports_left(state: str) -> None:
    web, gone = container("demo", "web", state=state), container("demo", "db", state="exited")
    assert to_hold(ALL, (web,), published_by) == ()
    assert to_hold(ALL, (gone, web), published_by) == ()


@pytest.mark.parametrize("state", ["created", "exited", "dead", "removing"])
def test_what_a_stopped_container_publishes_is_left_to_it_on_every_address(state: str) -> None:
    web = container("demo", "web", LOOPBACK4, state=state)
    assert to_hold(ALL, (web,), published_by) == (OTHER, UDP)


def test_a_stopped_container_without_ports_keeps_nothing_from_being_held() -> None:
    assert to_hold(ALL, (container("demo", "db", state="exited"),), published_by) == ALL


@pytest.mark.parametrize(
    ("endpoints", "text"),
    [
        ((), ""),
        ((ANY4, ANY6), "21000/tcp"),
        ((OTHER, ANY4, UDP), "21000-21001/tcp, 21000/udp"),
        ((ANY4, Endpoint(P + 2, "::1")), "21000/tcp, 21002/tcp"),
    ],
)
def test_the_ports_in_short(endpoints: tuple[Endpoint, ...], text: str) -> None:
    assert in_short(endpoints) == text


# What an `up` of this stack makes of it, and what another one


def obstacle(wanted: Endpoint, kernel: FakeKernel, *reserved: Endpoint) -> Obstacle | None:
    return Availability(
        EngineRules("28.5.2"),
        Convergence((), (), (), ()),
        kernel,
        reserved=lambda endpoint: [row for row in reserved if row.port == endpoint.port],
    ).obstacle(wanted)


def bound(address: str, *pids: int) -> Listener:
    return Listener("tcp", address, P, "bound", pids=pids)


def test_what_the_own_watch_holds_is_free() -> None:
    kernel = FakeKernel(busy(ANY4), [bound("0.0.0.0", 78)])
    assert obstacle(ANY4, kernel, ANY4) is None
    assert obstacle(ANY4, kernel) == Obstacle(Reason.IN_USE)


def test_what_only_the_own_gate_keeps_from_us_is_free() -> None:
    assert obstacle(ANY4, FakeKernel(busy(ANY4)), ANY4) is None


def test_a_wider_binding_than_the_reserved_one_still_meets_others() -> None:
    stranger = Listener("tcp", "192.0.2.2", P, "listen", pids=(9,))
    kernel = FakeKernel(busy(ANY4), [bound("127.0.0.1", 78), stranger])
    assert obstacle(ANY4, kernel, LOOPBACK4) == Obstacle(Reason.IN_USE)


def named(kernel: FakeKernel, *reservations: Reservation) -> list[object]:
    attribution = Attribution(None, [], kernel, reservations=lambda: reservations)
    return list(attribution.holders(ANY4, Obstacle(Reason.IN_USE)))


def test_the_watch_of_another_stack_is_named_by_its_socket() -> None:
    kernel = FakeKernel(busy(ANY4), [bound("0.0.0.0", 78)], [HOLDING])
    shop = Reservation("shop", 77, 78, frozenset({ANY4}))
    assert named(kernel, shop) == [Reserved(77, "shop")]
    assert named(kernel, Reservation("shop", 77, 79)) == [HostProcess(HOLDING)]


def test_the_gate_of_another_stack_is_named_where_no_socket_is_in_the_way() -> None:
    shop = Reservation("shop", 77, 78, frozenset({ANY4, ANY6}))
    assert named(FakeKernel(busy(ANY4)), shop) == [Reserved(77, "shop")]


def test_a_squatter_that_was_there_before_is_named_and_not_the_gate() -> None:
    squatter = Listener("tcp", "127.0.0.1", P, "listen", pids=(78,))
    kernel = FakeKernel(busy(ANY4), [squatter], [HOLDING])
    shop = Reservation("shop", 77, 99, frozenset({ANY4}))
    assert named(kernel, shop) == [HostProcess(HOLDING)]


def test_a_reserved_port_has_its_watch_as_holder_unless_somebody_listens() -> None:
    shop = Reservation("shop", 77, 78, frozenset({ANY4, Endpoint(P + 1, "::", "udp")}))
    attribution = Attribution(None, [], FakeKernel(), reservations=lambda: [shop])
    assert attribution.holders_on(P) == (Reserved(77, "shop"),)
    assert attribution.holders_on(P + 1) == ()
    listener = Listener("tcp", "0.0.0.0", P, "listen", pids=(78,))
    kernel = FakeKernel({}, [listener], [HOLDING])
    attribution = Attribution(
        None, [], kernel, reservations=lambda: [Reservation("shop", 77, 99, frozenset({ANY4}))]
    )
    assert attribution.holders_on(P) == (HostProcess(HOLDING),)
