"""Whether one endpoint can be bound: the engine's list, the probe, the socket table."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dartsctl.ports.availability import Availability, Obstacle, Reason
from dartsctl.ports.listeners import Listener, Probe
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.containers import Container
from dartsctl.stack.convergence import Convergence
from dartsctl.stack.engine_rules import EngineRules
from fakes.kernel import FakeKernel, busy, container, listening

P = 21000
ANY4, ANY6 = Endpoint(P, "0.0.0.0"), Endpoint(P, "::")
LOOPBACK4, LOOPBACK6 = Endpoint(P, "127.0.0.1"), Endpoint(P, "::1")
INTERFACE4 = Endpoint(P, "192.0.2.2")


def obstacle(
    wanted: Endpoint,
    kernel: FakeKernel,
    *,
    engine: EngineRules | None = None,
    staying: Sequence[Container] = (),
    released: Sequence[Container] = (),
) -> Obstacle | None:
    convergence = Convergence((), tuple(released), tuple(staying), ())
    return Availability(engine or EngineRules("28.5.2"), convergence, kernel).obstacle(wanted)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Probe.IN_USE, Reason.IN_USE),
        (Probe.NO_SUCH_ADDRESS, Reason.NO_SUCH_ADDRESS),
        (Probe.INVALID, Reason.INVALID_ADDRESS),
        (Probe.UNSUPPORTED, Reason.UNSUPPORTED),
    ],
    ids=lambda value: value.name,
)
def test_what_the_kernel_refuses_is_an_obstacle(
    answer: Probe, reason: Reason
) -> None:  # edge-cases.md#35, edge-cases.md#45
    assert obstacle(ANY4, FakeKernel({ANY4: answer})) == Obstacle(reason)


def test_what_the_kernel_allows_and_nobody_lists_is_free() -> None:
    assert obstacle(ANY4, FakeKernel()) is None


def test_the_kernel_is_asked_once_for_one_endpoint() -> None:
    kernel = FakeKernel()
    available = Availability(EngineRules("28.5.2"), Convergence((), (), (), ()), kernel)
    assert [available.obstacle(ANY4) for _ in range(3)] == [None, None, None]
    assert kernel.asked == [(ANY4, True)]


@pytest.mark.parametrize(
    ("version", "reuse"),
    [("20.10.24", False), ("26.1.5", False), ("28.5.2", True), ("29.0.0", False), ("", False)],
)
def test_udp_is_probed_with_the_options_of_the_engine(version: str, reuse: bool) -> None:
    kernel = FakeKernel()
    obstacle(Endpoint(P, "0.0.0.0", "udp"), kernel, engine=EngineRules(version))
    assert kernel.asked == [(Endpoint(P, "0.0.0.0", "udp"), reuse)]


@pytest.mark.parametrize("version", ["20.10.24", "26.1.5", "28.5.2", ""])
def test_a_listed_udp_port_is_an_obstacle_though_a_probe_would_not_see_it(version: str) -> None:
    other = container("other", "dns", Endpoint(P, "127.0.0.1", "udp"))
    kernel = FakeKernel()
    answer = obstacle(
        Endpoint(P, "0.0.0.0", "udp"), kernel, engine=EngineRules(version), staying=[other]
    )
    assert answer == Obstacle(Reason.IN_USE, (other,))
    assert kernel.asked == []


def test_all_listed_containers_are_named_and_each_once() -> None:  # edge-cases.md#1
    first = container("other", "a", LOOPBACK4, Endpoint(P, "127.0.0.2"))
    second = container("other", "b", INTERFACE4)
    unrelated = container(
        "other", "c", Endpoint(P, "127.0.0.1", "udp"), LOOPBACK6, Endpoint(P + 1, "0.0.0.0")
    )
    assert obstacle(ANY4, FakeKernel(), staying=[first, unrelated, second]) == Obstacle(
        Reason.IN_USE, (first, second)
    )


@pytest.mark.parametrize("kind", ["remote", "desktop"])
def test_an_engine_elsewhere_is_judged_by_its_own_list_alone(
    kind: str,
) -> None:  # edge-cases.md#43, edge-cases.md#44
    engine = EngineRules("28.5.2", kind="remote" if kind == "remote" else "desktop")
    kernel = FakeKernel(busy(ANY4))
    assert obstacle(ANY4, kernel, engine=engine) is None
    assert kernel.asked == []
    theirs = container("other", "web", ANY4)
    assert obstacle(ANY4, kernel, engine=engine, staying=[theirs]) == Obstacle(
        Reason.IN_USE, (theirs,)
    )


# Below ip_unprivileged_port_start without root the table decides (edge-cases.md#17,
# engine-rules.md#gotchas)


@pytest.mark.parametrize(
    ("rows", "answer"),
    [
        ([], None),
        ([listening("127.0.0.1", P)], Obstacle(Reason.IN_USE)),
        ([listening("::", P)], Obstacle(Reason.IN_USE)),
        ([listening("::", P, v6only=True)], None),
        ([listening("::1", P)], None),
        ([listening("127.0.0.1", P + 1)], None),
        ([Listener("tcp", "127.0.0.1", P, "connected")], Obstacle(Reason.IN_USE, certain=False)),
        ([Listener("tcp", "127.0.0.1", P, "closing")], Obstacle(Reason.IN_USE, certain=False)),
        ([Listener("tcp", "127.0.0.1", P, "bound")], Obstacle(Reason.IN_USE, certain=False)),
        (
            [Listener("tcp", "127.0.0.1", P, "closing"), listening("127.0.0.1", P)],
            Obstacle(Reason.IN_USE),
        ),
        ([Listener("udp", "127.0.0.1", P, "bound")], None),
    ],
    ids=[
        "none",
        "listens",
        "dual stack",
        "v6only",
        "ipv6",
        "next port",
        "connected",
        "time wait",
        "bound",
        "both",
        "udp",
    ],
)
def test_where_we_may_not_bind_the_socket_table_decides(
    rows: list[Listener], answer: Obstacle | None
) -> None:
    assert obstacle(ANY4, FakeKernel({ANY4: Probe.FORBIDDEN}, rows)) == answer


@pytest.mark.parametrize(
    ("version", "certain"), [("20.10.24", True), ("26.1.5", True), ("28.5.2", False), ("", True)]
)
def test_a_udp_row_is_only_perhaps_in_the_way_of_engine_28(version: str, certain: bool) -> None:
    wanted = Endpoint(53, "0.0.0.0", "udp")
    kernel = FakeKernel({wanted: Probe.FORBIDDEN}, [Listener("udp", "127.0.0.53", 53, "bound")])
    assert obstacle(wanted, kernel, engine=EngineRules(version)) == Obstacle(
        Reason.IN_USE, certain=certain
    )


def test_the_sockets_of_released_containers_do_not_count_in_the_table_either() -> None:
    mine = container("demo", "web", ANY4, ANY6)
    kernel = FakeKernel(
        {ANY4: Probe.FORBIDDEN}, [listening("0.0.0.0", P), listening("::", P, v6only=True)]
    )
    assert obstacle(ANY4, kernel, released=[mine]) is None
    assert obstacle(ANY4, kernel) == Obstacle(Reason.IN_USE)


# Own containers that are released before the new bind (last paragraph of
# engine-rules.md#own-containers)


@pytest.mark.parametrize("wanted", [ANY4, LOOPBACK4, INTERFACE4], ids=str)
def test_what_only_a_released_wildcard_holds_is_free(wanted: Endpoint) -> None:  # edge-cases.md#36
    mine = container("demo", "web", ANY4, ANY6)
    kernel = FakeKernel(
        busy(ANY4, LOOPBACK4, INTERFACE4),
        [listening("0.0.0.0", P), listening("::", P, v6only=True)],
    )
    assert obstacle(wanted, kernel, released=[mine]) is None
    assert obstacle(wanted, kernel) == Obstacle(Reason.IN_USE)


def test_a_listener_of_somebody_else_beside_a_released_wildcard_stays_in_the_way() -> None:
    mine = container("demo", "web", ANY4, ANY6)
    kernel = FakeKernel(busy(ANY4), [listening("0.0.0.0", P), listening("192.0.2.2", P)])
    assert obstacle(ANY4, kernel, released=[mine]) == Obstacle(Reason.IN_USE)


def test_a_released_port_frees_neither_another_family_nor_another_protocol() -> None:
    mine = container("demo", "web", ANY4)
    six, datagram = LOOPBACK6, Endpoint(P, "0.0.0.0", "udp")
    kernel = FakeKernel(
        busy(six, datagram),
        [listening("0.0.0.0", P), listening("::1", P), Listener("udp", "0.0.0.0", P, "bound")],
    )
    assert obstacle(six, kernel, released=[mine]) == Obstacle(Reason.IN_USE)
    assert obstacle(datagram, kernel, released=[mine], engine=EngineRules("20.10.24")) == Obstacle(
        Reason.IN_USE
    )


def test_a_binding_that_widens_is_free_when_every_other_address_is() -> None:
    mine = container("demo", "web", LOOPBACK4)
    kernel = FakeKernel(busy(ANY4, LOOPBACK4), [listening("127.0.0.1", P)])
    assert obstacle(ANY4, kernel, released=[mine]) is None
    assert [endpoint for endpoint, _ in kernel.asked] == [ANY4, INTERFACE4]


def test_a_binding_that_widens_meets_a_foreign_listener_on_one_address() -> None:
    mine = container("demo", "web", LOOPBACK4)
    kernel = FakeKernel(
        busy(ANY4, LOOPBACK4, INTERFACE4), [listening("127.0.0.1", P), listening("192.0.2.2", P)]
    )
    assert obstacle(ANY4, kernel, released=[mine]) == Obstacle(Reason.IN_USE)


def test_a_binding_that_widens_meets_a_bound_socket_that_no_table_shows() -> None:
    mine = container("demo", "web", LOOPBACK4)
    kernel = FakeKernel(busy(ANY4, LOOPBACK4, INTERFACE4), [listening("127.0.0.1", P)])
    assert obstacle(ANY4, kernel, released=[mine]) == Obstacle(Reason.IN_USE)


def test_a_binding_that_widens_asks_for_addresses_that_only_the_table_knows() -> None:
    mine = container("demo", "web", LOOPBACK4)
    other = Endpoint(P, "127.0.0.5")
    rows = [listening("127.0.0.1", P), Listener("tcp", "127.0.0.5", P, "bound")]
    assert obstacle(ANY4, FakeKernel(busy(ANY4, other), rows), released=[mine]) == Obstacle(
        Reason.IN_USE
    )
    assert (
        obstacle(ANY4, FakeKernel(busy(ANY4), rows), released=[mine]) is None
    )  # with SO_REUSEADDR it does not block


def test_a_binding_that_widens_to_ipv6_asks_for_ipv6_addresses() -> None:
    mine = container("demo", "web", LOOPBACK6)
    interface6 = Endpoint(P, "fd00::2")
    kernel = FakeKernel(busy(ANY6, LOOPBACK6), [listening("::1", P)])
    assert obstacle(ANY6, kernel, released=[mine]) is None
    assert [endpoint for endpoint, _ in kernel.asked] == [ANY6, interface6]
    hidden = FakeKernel(busy(ANY6, LOOPBACK6, interface6), [listening("::1", P)])
    assert obstacle(ANY6, hidden, released=[mine]) == Obstacle(Reason.IN_USE)
