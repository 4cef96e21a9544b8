"""The verdicts of a preflight, engine by engine.

The rules are engine-rules.md#rules, engine-rules.md#versions, engine-rules.md#ranges and
engine-rules.md#one-implementation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from dartsctl.ports.attribution import Attribution
from dartsctl.ports.availability import Availability, Reason
from dartsctl.ports.conflicts import BindingVerdict, Conflict, PortVerdicts, Verdict
from dartsctl.ports.holders import ForeignContainer, OwnContainer, RivalBinding, Unknown
from dartsctl.ports.listeners import Listener, Probe
from dartsctl.ports.verdicts import judge
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.containers import Container
from dartsctl.stack.convergence import converge, split_new_and_held
from dartsctl.stack.engine_rules import EngineRules
from dartsctl.stack.model import Network, PortEntry, Service, Stack
from dartsctl.stack.publishing import Unbound, stack_bindings
from fakes.kernel import FakeKernel, busy, container, listening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.stack.bindings import TransportProtocol

OLD = ("20.10.24+dfsg1", "26.1.5+dfsg1")
NEW = ("28.5.2+dfsg4", "")
EVERY = (*OLD, *NEW)
P = 21000


def port(
    published_: int | str = P,
    host_ip: str = "",
    *,
    target: int = 80,
    protocol: TransportProtocol = "tcp",
) -> PortEntry:
    return PortEntry(target, protocol, str(published_), host_ip)


def service(name: str, *ports: PortEntry, replicas: int = 1) -> Service:
    return Service(name, replicas=replicas, ports=ports)


def judged(
    *services: Service,
    version: str = "28.5.2",
    proxy: bool = True,
    kernel: FakeKernel | None = None,
    containers: Sequence[Container] = (),
    hashes: Mapping[str, str] | None = None,
    force_recreate: bool = False,
    remove_orphans: bool = False,
    networks: Mapping[str, Network] | None = None,
) -> tuple[BindingVerdict, ...]:
    """A preflight without its edges."""
    engine = EngineRules(version, userland_proxy=proxy)
    host = kernel or FakeKernel()
    stack = Stack(
        "demo",
        {each.name: each for each in services},
        networks or {"default": Network("demo_default")},
    )
    known = dict.fromkeys(stack.services, "same") if hashes is None else hashes
    convergence = converge(
        stack, containers, known, force_recreate=force_recreate, remove_orphans=remove_orphans
    )
    wanted = stack_bindings(stack, engine)
    new, held = split_new_and_held(wanted.bindings, convergence)
    return judge(
        new,
        engine=engine,
        availability=Availability(engine, convergence, host),
        attribute=Attribution(stack, containers, host).holders,
        doubtful=wanted.uncertain,
        held=held,
    )


def verdict(verdicts: Sequence[BindingVerdict]) -> str:
    """Of the whole `up`: its worst binding."""
    every = {checked.verdict for checked in verdicts}
    worst = next(
        each
        for each in (Verdict.CONFLICT, Verdict.UNCERTAIN, Verdict.FREE, Verdict.HELD)
        if each in every
    )
    return str(worst.value)


# Container against container (engine-rules.md#other-containers), the same on every engine and for
# udp; IF6 in row and column: engine-rules.md#versions

HOSTS = ("", "0.0.0.0", "127.0.0.1", "192.0.2.2", "::", "::1", "fd00::2")
TABLE = {
    "": "X X X X X X X",
    "0.0.0.0": "X X X X - - -",
    "127.0.0.1": "X X X - - - -",
    "192.0.2.2": "X X - X - - -",
    "::": "X - - - X X X",
    "::1": "X - - - X X -",
    "fd00::2": "X - - - X - X",
}
CELLS = [
    (existing, new, cell == "X")
    for existing, row in TABLE.items()
    for new, cell in zip(HOSTS, row.split(), strict=True)
]


def on_every_engine(expected: str) -> dict[str, str]:
    return dict.fromkeys(EVERY, expected)


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize(("existing", "new", "conflict"), CELLS)
def test_container_against_container(
    existing: str, new: str, conflict: bool, protocol: TransportProtocol
) -> None:  # edge-cases.md#5
    held = [
        Endpoint(P, address, protocol)
        for address in ((existing,) if existing else ("0.0.0.0", "::"))
    ]
    other = container("other", "web", *held)
    verdicts = {
        version: judged(
            service("a", port(host_ip=new, protocol=protocol)), version=version, containers=[other]
        )
        for version in EVERY
    }
    assert {version: verdict(each) for version, each in verdicts.items()} == on_every_engine(
        "conflict" if conflict else "free"
    )
    holders = {each[0].conflict.holders for each in verdicts.values() if each[0].conflict}
    assert holders == (
        {(ForeignContainer(other),)} if conflict else set()
    )  # once, though both families are busy: edge-cases.md#1


@pytest.mark.parametrize(("address", "other", "conflict"), CELLS)
def test_service_against_service(address: str, other: str, conflict: bool) -> None:
    services = (service("a", port(host_ip=address)), service("b", port(host_ip=other)))
    verdicts = {
        version: [checked.verdict.value for checked in judged(*services, version=version)]
        for version in EVERY
    }
    expected = "conflict" if conflict else "free"
    assert verdicts == {version: [expected, expected] for version in EVERY}


@pytest.mark.parametrize("version", EVERY)
@pytest.mark.parametrize("state", ["running", "paused"])
def test_a_running_or_paused_container_holds_its_ports(state: str, version: str) -> None:
    other = container("other", "web", Endpoint(P, "0.0.0.0"), state=state)
    assert verdict(judged(service("a", port()), version=version, containers=[other])) == "conflict"


@pytest.mark.parametrize("state", ["created", "exited", "dead", "restarting"])
def test_a_container_that_does_not_run_holds_nothing(
    state: str,
) -> None:  # edge-cases.md#32, edge-cases.md#34
    assert (
        verdict(judged(service("a", port()), containers=[container("other", "web", state=state)]))
        == "free"
    )


def test_all_candidates_are_named_when_the_stack_itself_wants_a_port_twice() -> None:
    verdicts = judged(
        service("a", port()), service("b", port(host_ip="127.0.0.1")), service("c", port(P + 1))
    )
    assert {checked.binding.service: checked.verdict for checked in verdicts} == {
        "a": Verdict.CONFLICT,
        "b": Verdict.CONFLICT,
        "c": Verdict.FREE,
    }
    assert verdicts[0].conflict is not None
    assert verdicts[0].conflict.reason is Reason.SAME_STACK
    assert verdicts[0].conflict.holders == (RivalBinding("b", f"{P}:80/tcp"),)


def test_a_rival_in_the_stack_is_named_beside_the_foreign_holder() -> None:
    other = container("other", "web", Endpoint(P, "0.0.0.0"))
    verdicts = judged(service("a", port()), service("b", port()), containers=[other])
    assert verdicts[0].conflict is not None
    assert verdicts[0].conflict.holders == (
        ForeignContainer(other),
        RivalBinding("b", f"{P}:80/tcp"),
    )


@pytest.mark.parametrize("version", EVERY)
@pytest.mark.parametrize(
    ("replicas", "expected"), [(0, None), (1, "free"), (2, "conflict"), (3, "conflict")]
)
def test_a_fixed_port_is_enough_for_one_replica(
    replicas: int, expected: str | None, version: str
) -> None:  # edge-cases.md#49
    verdicts = judged(service("a", port(), replicas=replicas), version=version)
    assert len(verdicts) == replicas
    assert expected is None or verdict(verdicts) == expected


# Inside one container: engine-rules.md#versions


@pytest.mark.parametrize(
    ("entries", "old", "engine28", "unknown"),
    [
        ([port(host_ip="127.0.0.1"), port()], "conflict", "conflict", "conflict"),
        (
            [port(host_ip="127.0.0.1", protocol="udp"), port(protocol="udp")],
            "conflict",
            "free",
            "conflict",
        ),
        (
            [port(protocol="udp"), port(host_ip="127.0.0.1", target=81, protocol="udp")],
            "conflict",
            "conflict",
            "conflict",
        ),
        ([port(), port(target=81)], "conflict", "conflict", "conflict"),
        ([port(host_ip="0.0.0.0"), port(host_ip="::")], "free", "free", "free"),
        ([port(host_ip="127.0.0.1"), port(host_ip="192.0.2.2")], "free", "free", "free"),
        ([port(), port(protocol="udp")], "free", "free", "free"),
        ([port(), port()], "conflict", "conflict", "conflict"),
        ([port(protocol="udp"), port(protocol="udp")], "conflict", "free", "conflict"),
        (
            [port(host_ip="127.0.0.1"), port(host_ip="::ffff:127.0.0.1")],
            "conflict",
            "conflict",
            "conflict",
        ),
    ],
    ids=[
        "loopback and every address",
        "loopback and every address, udp",
        "udp, two targets",
        "two targets",
        "both wildcards",
        "two addresses",
        "tcp and udp",
        "the same twice",
        "the same twice, udp",
        "mapped and plain",
    ],
)
def test_entries_of_one_container(
    entries: list[PortEntry], old: str, engine28: str, unknown: str
) -> None:  # edge-cases.md#5, edge-cases.md#6
    single = service("a", *entries)
    assert [verdict(judged(single, version=version)) for version in OLD] == [old, old]
    assert verdict(judged(single, version="28.5.2+dfsg4")) == engine28
    assert verdict(judged(single, version="")) == unknown


# What the kernel says


@pytest.mark.parametrize("version", EVERY)
@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_the_default_needs_both_families(address: str, version: str) -> None:
    verdicts = judged(
        service("a", port()), version=version, kernel=FakeKernel(busy(Endpoint(P, address)))
    )
    assert verdicts[0].conflict is not None
    assert verdicts[0].conflict.endpoints == (Endpoint(P, address),)
    assert verdicts[0].conflict.reason is Reason.IN_USE
    assert [type(holder) for holder in verdicts[0].conflict.holders] == [Unknown]


def test_a_listener_on_ipv6_loopback_does_not_hurt_an_ipv4_binding() -> None:  # edge-cases.md#4
    kernel = FakeKernel(busy(Endpoint(P, "::"), Endpoint(P, "::1")), [listening("::1", P)])
    assert verdict(judged(service("a", port(host_ip="127.0.0.1")), kernel=kernel)) == "free"
    assert verdict(judged(service("a", port()), kernel=kernel)) == "conflict"


@pytest.mark.parametrize("version", EVERY)
def test_without_the_userland_proxy_an_ipv6_listener_does_not_hurt(
    version: str,
) -> None:  # edge-cases.md#30
    kernel = FakeKernel(busy(Endpoint(P, "::"), Endpoint(P, "::1")), [listening("::1", P)])
    assert (
        verdict(judged(service("a", port()), version=version, kernel=kernel, proxy=False)) == "free"
    )
    assert (
        verdict(judged(service("a", port()), version=version, kernel=kernel, proxy=True))
        == "conflict"
    )
    with_ipv6 = {"default": Network("demo_default", ipv6=True)}
    assert (
        verdict(
            judged(
                service("a", port()),
                version=version,
                kernel=kernel,
                proxy=False,
                networks=with_ipv6,
            )
        )
        == "conflict"
    )


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Probe.NO_SUCH_ADDRESS, Reason.NO_SUCH_ADDRESS),
        (Probe.INVALID, Reason.INVALID_ADDRESS),
        (Probe.UNSUPPORTED, Reason.UNSUPPORTED),
    ],
    ids=["not here", "link-local", "ipv6 off"],
)
def test_an_address_that_cannot_be_bound_is_a_conflict_without_a_holder(
    answer: Probe, reason: Reason
) -> None:  # edge-cases.md#35, edge-cases.md#45
    verdicts = judged(
        service("a", port(host_ip="fd00::9")), kernel=FakeKernel({Endpoint(P, "fd00::9"): answer})
    )
    assert verdicts[0].conflict == Conflict(
        verdicts[0].binding, (Endpoint(P, "fd00::9"),), reason, ()
    )


def test_what_only_the_table_suspects_is_uncertain_for_a_fixed_port() -> None:  # edge-cases.md#17
    kernel = FakeKernel(
        {Endpoint(P, "127.0.0.1"): Probe.FORBIDDEN}, [Listener("tcp", "127.0.0.1", P, "connected")]
    )
    verdicts = judged(service("a", port(host_ip="127.0.0.1")), kernel=kernel)
    assert (verdicts[0].verdict, verdicts[0].conflict) == (Verdict.UNCERTAIN, None)
    assert "not visible without root" in verdicts[0].note


def test_a_rival_in_the_stack_makes_a_conflict_of_what_else_is_only_suspected() -> None:
    kernel = FakeKernel(
        {Endpoint(P, "127.0.0.1"): Probe.FORBIDDEN}, [Listener("tcp", "127.0.0.1", P, "connected")]
    )
    verdicts = judged(
        service("a", port(host_ip="127.0.0.1")),
        service("b", port(host_ip="127.0.0.1")),
        kernel=kernel,
    )
    assert [checked.verdict for checked in verdicts] == [Verdict.CONFLICT] * 2


def test_what_only_the_table_suspects_is_uncertain_for_a_range() -> None:
    endpoints = [Endpoint(number, "127.0.0.1") for number in (P, P + 1)]
    rows = [Listener("tcp", "127.0.0.1", number, "connected") for number in (P, P + 1)]
    verdicts = judged(
        service("a", port(f"{P}-{P + 1}", "127.0.0.1")),
        kernel=FakeKernel(dict.fromkeys(endpoints, Probe.FORBIDDEN), rows),
    )
    assert verdict(verdicts) == "uncertain"
    assert "not visible without root" in verdicts[0].note


# Ranges: engine-rules.md#ranges


def range_of(count: int, host_ip: str = "127.0.0.1", *, target: int = 80) -> PortEntry:
    return port(f"{P}-{P + count - 1}", host_ip, target=target)


def taken(*offsets: int, address: str = "127.0.0.1") -> FakeKernel:
    """A host whose processes hold these numbers of the range."""
    return FakeKernel(busy(*(Endpoint(P + offset, address) for offset in offsets)))


@pytest.mark.parametrize(
    ("count", "replicas", "held", "old", "new"),
    [
        (3, 1, (), "free", "free"),
        (3, 1, (0,), "uncertain", "free"),
        (3, 1, (0, 1), "uncertain", "free"),
        (3, 1, (2,), "uncertain", "free"),
        (3, 1, (0, 1, 2), "conflict", "conflict"),
        (2, 2, (), "free", "free"),
        (2, 3, (), "conflict", "conflict"),
        (3, 2, (1,), "uncertain", "free"),
        (3, 3, (1,), "conflict", "conflict"),
        (14, 1, tuple(range(9)), "uncertain", "free"),
        (14, 1, tuple(range(10)), "uncertain", "uncertain"),
        (14, 1, (*range(5), *range(9, 14)), "uncertain", "uncertain"),
        (14, 1, (*range(5), *range(10, 14)), "uncertain", "free"),
        (24, 1, tuple(range(0, 24, 2)), "uncertain", "free"),
        (10, 1, tuple(range(10)), "conflict", "conflict"),
        (14, 1, tuple(range(14)), "conflict", "conflict"),
    ],
    ids=[
        "all free",
        "lowest busy",
        "two lowest busy",
        "highest busy",
        "all busy",
        "as many replicas as numbers",
        "more replicas than numbers",
        "one busy, enough for two",
        "one busy, not enough for three",
        "nine in a row",
        "ten in a row",
        "ten in a row round the end",
        "nine in a row round the end",
        "twelve scattered",
        "ten, all busy",
        "fourteen, all busy",
    ],
)
def test_a_range_whose_numbers_are_held_by_host_processes(
    count: int, replicas: int, held: tuple[int, ...], old: str, new: str
) -> None:  # edge-cases.md#49
    single = service("a", range_of(count), replicas=replicas)
    assert [verdict(judged(single, version=version, kernel=taken(*held))) for version in OLD] == [
        old,
        old,
    ]
    assert [verdict(judged(single, version=version, kernel=taken(*held))) for version in NEW] == [
        new,
        new,
    ]


def test_an_exhausted_range_names_every_busy_number() -> None:
    verdicts = judged(service("a", range_of(3)), kernel=taken(0, 1, 2))
    assert verdicts[0].conflict is not None
    assert verdicts[0].conflict.reason is Reason.RANGE_EXHAUSTED
    assert [endpoint.port for endpoint in verdicts[0].conflict.endpoints] == [21000, 21001, 21002]


def test_a_doubtful_range_names_a_number_to_pin() -> None:
    assert judged(service("a", range_of(3)), version="20.10.24", kernel=taken(0))[0].note == (
        "1 of 3 numbers are busy, and this engine tries only one; pin a free one, e.g. 21001"
    )
    assert judged(service("a", range_of(14)), kernel=taken(*range(10)))[0].note == (
        "10 numbers are busy and the engine gives up after 10; pin a free one, e.g. 21010"
    )
    assert (
        judged(service("a", range_of(3)), kernel=taken(0))[0].note == "partly busy: 1 of 3 numbers"
    )


@pytest.mark.parametrize("version", NEW)
def test_since_27_one_number_must_be_free_on_every_address(version: str) -> None:
    four, six = Endpoint(P, "0.0.0.0"), Endpoint(P + 1, "::")
    assert (
        verdict(
            judged(
                service("a", range_of(3, "")), version=version, kernel=FakeKernel(busy(four, six))
            )
        )
        == "free"
    )
    assert (
        verdict(
            judged(
                service("a", range_of(2, "")), version=version, kernel=FakeKernel(busy(four, six))
            )
        )
        == "conflict"
    )


@pytest.mark.parametrize("version", OLD)
def test_before_27_each_family_takes_a_number_of_its_own(version: str) -> None:
    four, six = Endpoint(P, "0.0.0.0"), Endpoint(P + 1, "::")
    assert (
        verdict(
            judged(
                service("a", range_of(2, "")), version=version, kernel=FakeKernel(busy(four, six))
            )
        )
        == "uncertain"
    )
    both = FakeKernel(busy(four, Endpoint(P + 1, "0.0.0.0")))
    assert (
        verdict(judged(service("a", range_of(2, "")), version=version, kernel=both)) == "conflict"
    )


@pytest.mark.parametrize(
    ("held", "old", "new"),
    [(3, "conflict", "conflict"), (2, "uncertain", "free"), (1, "uncertain", "free")],
    ids=["all", "two of three", "one of three"],
)
def test_numbers_in_the_engines_book_are_skipped_without_an_attempt(
    held: int, old: str, new: str
) -> None:
    other = container("other", "web", *(Endpoint(P + offset, "0.0.0.0") for offset in range(held)))
    assert [
        verdict(judged(service("a", range_of(3)), version=version, containers=[other]))
        for version in OLD
    ] == [old, old]
    assert [
        verdict(judged(service("a", range_of(3)), version=version, containers=[other]))
        for version in NEW
    ] == [new, new]


@pytest.mark.parametrize("version", NEW)
def test_booked_numbers_between_busy_ones_do_not_count_as_attempts(version: str) -> None:
    other = container(
        "other", "web", *(Endpoint(P + offset, "127.0.0.1") for offset in range(5, 10))
    )
    nine, ten = taken(*range(5), *range(10, 14)), taken(*range(5), *range(10, 15))
    assert (
        verdict(
            judged(service("a", range_of(16)), version=version, kernel=nine, containers=[other])
        )
        == "free"
    )
    assert (
        verdict(judged(service("a", range_of(16)), version=version, kernel=ten, containers=[other]))
        == "uncertain"
    )


@pytest.mark.parametrize(
    ("entries", "old", "new"),
    [((port(P, "127.0.0.1"), range_of(3, target=81)), "uncertain", "free")],
)
def test_a_fixed_port_inside_a_range_of_one_container(
    entries: tuple[PortEntry, ...], old: str, new: str
) -> None:
    for order in (entries, entries[::-1]):
        assert [verdict(judged(service("a", *order), version=version)) for version in OLD] == [
            old,
            old,
        ]
        assert [verdict(judged(service("a", *order), version=version)) for version in NEW] == [
            new,
            new,
        ]


@pytest.mark.parametrize("version", EVERY)
def test_a_fixed_port_that_leaves_its_range_no_number_is_a_conflict(version: str) -> None:
    single = service("a", port(P, "127.0.0.1"), range_of(2, target=81))
    assert verdict(judged(single, version=version, kernel=taken(1))) == "conflict"


@pytest.mark.parametrize("version", EVERY)
def test_a_fixed_port_inside_the_range_of_another_service_is_a_race(version: str) -> None:
    verdicts = judged(
        service("a", range_of(3)), service("b", port(P + 1, "127.0.0.1")), version=version
    )
    assert [checked.verdict for checked in verdicts] == [Verdict.UNCERTAIN] * 2
    assert all(checked.note.startswith("a race: ") for checked in verdicts)


@pytest.mark.parametrize("version", EVERY)
def test_a_fixed_port_outside_the_range_or_on_another_address_is_no_race(version: str) -> None:
    ranged = service("a", range_of(3))
    for other in (
        port(P + 3, "127.0.0.1"),
        port(P + 1, "192.0.2.2"),
        port(P + 1, "127.0.0.1", protocol="udp"),
    ):
        assert verdict(judged(ranged, service("b", other), version=version)) == "free"


@pytest.mark.parametrize("version", EVERY)
def test_fixed_ports_of_others_that_fill_the_range_are_no_race_but_a_conflict(version: str) -> None:
    fixed = [service(name, port(P + offset, "127.0.0.1")) for name, offset in (("b", 0), ("c", 1))]
    verdicts = judged(service("a", range_of(2)), *fixed, version=version)
    assert verdicts[0].verdict is Verdict.CONFLICT
    assert verdicts[0].conflict is not None
    assert {
        holder.service
        for holder in verdicts[0].conflict.holders
        if isinstance(holder, RivalBinding)
    } == {"b", "c"}


@pytest.mark.parametrize("version", EVERY)
def test_two_targets_over_the_same_range_take_two_numbers(version: str) -> None:
    assert (
        verdict(judged(service("a", range_of(2), range_of(2, target=81)), version=version))
        == "free"
    )
    assert (
        verdict(
            judged(
                service("a", range_of(2), range_of(2, target=81), range_of(2, target=82)),
                version=version,
            )
        )
        == "conflict"
    )


@pytest.mark.parametrize("version", EVERY)
def test_ranges_that_meet_are_free_with_numbers_for_all_and_uncertain_with_fewer(
    version: str,
) -> None:
    first, second = (
        service("a", port("21000-21001", "127.0.0.1")),
        service("b", port("21001-21002", "127.0.0.1")),
    )
    assert verdict(judged(first, second, version=version)) == "free"
    other = container("other", "web", Endpoint(21000, "127.0.0.1"))
    assert verdict(judged(first, second, version=version, containers=[other])) == "uncertain"


@pytest.mark.parametrize(
    ("version", "expected"),
    [("20.10.24", "uncertain"), ("26.1.5", "uncertain"), ("28.5.2", "free"), ("", "free")],
)
def test_before_27_the_book_does_not_know_that_a_wildcard_covers_an_address(
    version: str, expected: str
) -> None:
    assert (
        verdict(
            judged(service("a", range_of(5)), service("b", range_of(5, "0.0.0.0")), version=version)
        )
        == expected
    )
    assert (
        verdict(judged(service("a", range_of(5)), service("b", range_of(5)), version=version))
        == "free"
    )


def test_a_number_that_only_one_of_two_services_could_use_still_counts() -> None:
    # 21000 is taken on another address: only the loopback range can have it, the other has 21001
    verdicts = judged(
        service("a", range_of(2)),
        service("b", range_of(2, "0.0.0.0")),
        kernel=taken(0, address="0.0.0.0"),
    )
    assert [checked.verdict for checked in verdicts] == [Verdict.FREE, Verdict.UNCERTAIN]


def test_a_range_without_any_number_of_its_own_is_exhausted_whatever_the_others_have() -> None:
    verdicts = judged(
        service("a", range_of(2)),
        service("b", range_of(2, "0.0.0.0")),
        kernel=taken(0, 1, address="0.0.0.0"),
    )
    assert verdicts[1].verdict is Verdict.CONFLICT


# Own containers: engine-rules.md#own-containers


@pytest.mark.parametrize("version", EVERY)
def test_two_services_may_swap_their_ports(version: str) -> None:  # edge-cases.md#36
    ports = {"a": Endpoint(P, "127.0.0.1"), "b": Endpoint(P + 1, "127.0.0.1")}
    mine = [
        container("demo", name, endpoint, config_hash="before") for name, endpoint in ports.items()
    ]
    kernel = FakeKernel(
        busy(*ports.values()), [listening("127.0.0.1", P), listening("127.0.0.1", P + 1)]
    )
    swapped = (service("a", port(P + 1, "127.0.0.1")), service("b", port(P, "127.0.0.1")))
    assert verdict(judged(*swapped, version=version, kernel=kernel, containers=mine)) == "free"
    kept = [
        container("demo", "a", ports["a"]),
        container("demo", "b", ports["b"], config_hash="before"),
    ]
    verdicts = judged(
        service("a", port(P, "127.0.0.1")),
        service("b", port(P, "127.0.0.1")),
        version=version,
        kernel=kernel,
        containers=kept,
    )
    assert [checked.verdict for checked in verdicts] == [Verdict.HELD, Verdict.CONFLICT]
    assert verdicts[1].conflict is not None
    assert verdicts[1].conflict.holders == (OwnContainer(kept[0]),)


@pytest.mark.parametrize(
    ("force", "expected"), [(False, "held"), (True, "free")], ids=["kept", "force recreate"]
)
def test_what_runs_already_is_held_or_recreated(
    force: bool, expected: str
) -> None:  # edge-cases.md#36
    mine = container("demo", "a", Endpoint(P, "0.0.0.0"), Endpoint(P, "::"))
    kernel = FakeKernel(
        busy(Endpoint(P, "0.0.0.0"), Endpoint(P, "::")),
        [listening("0.0.0.0", P), listening("::", P, v6only=True)],
    )
    assert (
        verdict(
            judged(service("a", port()), kernel=kernel, containers=[mine], force_recreate=force)
        )
        == expected
    )


@pytest.mark.parametrize("number", [1, 2])
def test_a_surplus_replica_gives_its_number_to_another_service(number: int) -> None:
    mine = [
        container("demo", "a", Endpoint(P, "127.0.0.1"), number=1),
        container("demo", "a", Endpoint(P + 1, "127.0.0.1"), number=2),
    ]
    kernel = FakeKernel(
        busy(Endpoint(P, "127.0.0.1"), Endpoint(P + 1, "127.0.0.1")),
        [listening("127.0.0.1", P), listening("127.0.0.1", P + 1)],
    )
    verdicts = judged(
        service("a", range_of(2)),
        service("b", port(P + number - 1, "127.0.0.1")),
        kernel=kernel,
        containers=mine,
    )
    assert {checked.binding.service: checked.verdict.value for checked in verdicts} == {
        "a": "held",
        "b": "conflict" if number == 1 else "free",
    }


def test_an_orphan_keeps_its_port_unless_orphans_are_removed() -> None:  # edge-cases.md#38
    orphan = container("demo", "gone", Endpoint(P, "127.0.0.1"))
    kernel = FakeKernel(busy(Endpoint(P, "127.0.0.1")), [listening("127.0.0.1", P)])
    single = service("a", port(host_ip="127.0.0.1"))
    verdicts = judged(single, kernel=kernel, containers=[orphan])
    assert verdicts[0].conflict is not None
    assert verdicts[0].conflict.holders == (ForeignContainer(orphan),)
    assert (
        verdict(judged(single, kernel=kernel, containers=[orphan], remove_orphans=True)) == "free"
    )


def test_the_same_stack_under_another_name_is_foreign() -> None:  # edge-cases.md#37
    twin = container("demo-dev", "a", Endpoint(P, "127.0.0.1"))
    verdicts = judged(
        service("a", port(host_ip="127.0.0.1")),
        containers=[twin],
        force_recreate=True,
        remove_orphans=True,
    )
    assert verdicts[0].conflict is not None
    assert verdicts[0].conflict.holders == (ForeignContainer(twin),)


def test_a_one_off_container_of_the_service_is_in_the_way() -> None:  # edge-cases.md#39
    one_off = container("demo", "a", Endpoint(P, "127.0.0.1"), one_off=True)
    verdicts = judged(
        service("a", port(host_ip="127.0.0.1")), containers=[one_off], force_recreate=True
    )
    assert verdicts[0].conflict is not None
    assert verdicts[0].conflict.holders == (ForeignContainer(one_off),)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [({}, "free"), (busy(Endpoint(P, "127.0.0.1")), "conflict")],
    ids=["free", "taken meanwhile"],
)
def test_an_exited_container_with_the_same_hash_needs_its_port_again(
    answers: dict[Endpoint, Probe], expected: str
) -> None:  # edge-cases.md#32, edge-cases.md#34
    mine = container("demo", "a", state="exited")
    assert (
        verdict(
            judged(
                service("a", port(host_ip="127.0.0.1")),
                kernel=FakeKernel(answers),
                containers=[mine],
            )
        )
        == expected
    )


@pytest.mark.parametrize(
    ("foreign", "expected"),
    [((), "free"), (("192.0.2.2",), "conflict")],
    ids=["nobody else", "a foreign listener, or a bound socket that no table shows"],
)
@pytest.mark.parametrize("visible", [True, False], ids=["in the table", "invisible"])
@pytest.mark.parametrize("version", EVERY)
def test_a_binding_that_is_widened(
    foreign: tuple[str, ...], expected: str, visible: bool, version: str
) -> None:
    mine = container("demo", "a", Endpoint(P, "127.0.0.1"), config_hash="before")
    answers = busy(*(Endpoint(P, address) for address in ("0.0.0.0", "127.0.0.1", *foreign)))
    rows = [listening(address, P) for address in ("127.0.0.1", *(foreign if visible else ()))]
    assert (
        verdict(
            judged(
                service("a", port()),
                version=version,
                kernel=FakeKernel(answers, rows),
                containers=[mine],
            )
        )
        == expected
    )


def test_scaling_up_asks_only_for_the_new_replicas() -> None:
    mine = container("demo", "a", Endpoint(P, "127.0.0.1"))
    kernel = FakeKernel(busy(Endpoint(P, "127.0.0.1")), [listening("127.0.0.1", P)])
    verdicts = judged(service("a", range_of(2), replicas=2), kernel=kernel, containers=[mine])
    assert [checked.verdict.value for checked in verdicts] == ["held", "free"]
    verdicts = judged(service("a", range_of(2), replicas=3), kernel=kernel, containers=[mine])
    assert [checked.verdict.value for checked in verdicts] == ["held", "conflict", "conflict"]


# The answer as a whole


def test_a_conflict_of_a_service_whose_gateway_is_in_doubt_is_uncertain() -> None:
    lan = {"default": Network("demo_default"), "lan": Network("demo_lan", driver="macvlan")}
    single = Service("a", ports=(port(),), networks={"default": 0, "lan": 0})
    verdicts = judged(single, kernel=FakeKernel(busy(Endpoint(P, "0.0.0.0"))), networks=lan)
    assert (verdicts[0].verdict, verdicts[0].conflict) == (Verdict.UNCERTAIN, None)
    assert "macvlan" in verdicts[0].note


def test_every_conflict_is_found_at_once_and_in_the_order_of_services_and_ports() -> None:
    kernel = FakeKernel(busy(Endpoint(P, "127.0.0.1"), Endpoint(P + 2, "127.0.0.1")))
    verdicts = judged(
        service("b", port(P + 2, "127.0.0.1"), port(P + 1, "127.0.0.1")),
        service("a", port(P, "127.0.0.1"), port(P + 3, "127.0.0.1")),
        kernel=kernel,
    )
    assert [
        (checked.binding.service, checked.binding.first, checked.verdict.value)
        for checked in verdicts
    ] == [
        ("a", P, "conflict"),
        ("a", P + 3, "free"),
        ("b", P + 1, "free"),
        ("b", P + 2, "conflict"),
    ]
    answer = PortVerdicts(verdicts, (Unbound("c", port(""), "ephemeral"),))
    assert [conflict.binding.first for conflict in answer.conflicts] == [P, P + 2]


def test_one_process_on_both_families_is_one_holder() -> None:  # edge-cases.md#1
    kernel = FakeKernel(
        busy(Endpoint(P, "0.0.0.0"), Endpoint(P, "::")),
        [listening("0.0.0.0", P, uid=1000), listening("::", P, v6only=True, uid=1000)],
    )
    verdicts = judged(service("a", port()), kernel=kernel)
    assert verdicts[0].conflict is not None
    assert verdicts[0].conflict.endpoints == (Endpoint(P, "0.0.0.0"), Endpoint(P, "::"))
    assert verdicts[0].conflict.holders == (Unknown(1000, f"sudo ss -Htnap 'sport = :{P}'"),)
