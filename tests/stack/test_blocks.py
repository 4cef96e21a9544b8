"""Blocks of fixed ports are folded, cut and judged as one piece.

The verdicts are those that each number would get by itself.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from dartsctl.ports.attribution import Attribution
from dartsctl.ports.availability import Availability
from dartsctl.ports.conflicts import BindingVerdict, Verdict
from dartsctl.ports.holders import RivalBinding
from dartsctl.ports.listeners import Listener, Probe
from dartsctl.ports.verdicts import judge
from dartsctl.records import replace
from dartsctl.stack import blocks
from dartsctl.stack.bindings import Endpoint, PortBinding
from dartsctl.stack.containers import Container
from dartsctl.stack.convergence import converge, split_new_and_held
from dartsctl.stack.engine_rules import EngineRules
from dartsctl.stack.model import Network, PortEntry, Service, Stack
from dartsctl.stack.publishing import stack_bindings
from fakes.kernel import FakeKernel, container, listening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.stack.bindings import TransportProtocol

FIRST = 21000
ANY = ("0.0.0.0", "::")


def entries(
    first: int,
    count: int,
    *,
    target: int = 0,
    protocol: TransportProtocol = "tcp",
    host_ip: str = "",
) -> list[PortEntry]:
    """Return the entries that Compose writes for `first-last:target-...`."""
    return [
        PortEntry((target or first) + step, protocol, str(first + step), host_ip)
        for step in range(count)
    ]


def test_a_run_of_entries_is_one_block() -> None:
    (block,) = blocks.fold(entries(49152, 16384, protocol="udp"))
    assert (block.span, block.count, str(block)) == (
        (49152, 65535),
        16384,
        "49152-65535:49152-65535/udp",
    )


@pytest.mark.parametrize(
    "broken",
    [
        entries(FIRST, blocks.SHORTEST_BLOCK - 1),
        [replace(entry, target=80) for entry in entries(FIRST, 20)],
        [replace(entry, published=f"{FIRST}-{FIRST + 9}") for entry in entries(FIRST, 20)],
        [replace(entry, published="") for entry in entries(FIRST, 20)],
        [entry for number, entry in enumerate(entries(FIRST, 20)) if number % 5],
        [
            replace(entry, protocol="udp" if number % 2 else "tcp")
            for number, entry in enumerate(entries(FIRST, 20))
        ],
        [
            replace(entry, host_ip="127.0.0.1" if number % 3 else "")
            for number, entry in enumerate(entries(FIRST, 20))
        ],
    ],
    ids=[
        "too short",
        "one target",
        "ranges",
        "ephemeral",
        "gaps",
        "protocols in turn",
        "addresses in turn",
    ],
)
def test_other_entries_stay_as_they_are(broken: list[PortEntry]) -> None:
    assert blocks.fold(broken) == broken


def test_two_blocks_side_by_side_stay_two() -> None:
    folded = blocks.fold(
        [*entries(FIRST, 10), *entries(FIRST + 10, 10, target=80), PortEntry(80, "tcp", "8080")]
    )
    assert [str(entry) for entry in folded] == [
        "21000-21009:21000-21009/tcp",
        "21010-21019:80-89/tcp",
        "8080:80/tcp",
    ]


def test_a_block_is_cut_at_the_edges_inside_it() -> None:
    block = PortBinding("web", 1, 80, "tcp", 10, 19, ANY, is_block=True)
    pieces = list(blocks.cut(block, [5, 12, 13, 20, 30]))
    assert [(piece.published, piece.targets, piece.is_block) for piece in pieces] == [
        ("10-11", "80-81", True),
        ("12", "82", False),
        ("13-19", "83-89", True),
    ]


def test_marks_end_where_they_change() -> None:
    assert blocks.edges_of_marks({3: "a", 4: "a", 5: "b", 9: 9}) == {3, 5, 6, 9, 10}


# --- verdicts -----------------------------------------------------------------------------------


def judged(
    stack: Stack, engine: EngineRules, kernel: FakeKernel, containers: Sequence[Container] = ()
) -> tuple[BindingVerdict, ...]:
    convergence = converge(stack, containers, dict.fromkeys(stack.services, "same"))
    wanted = stack_bindings(stack, engine)
    new, held = split_new_and_held(wanted.bindings, convergence)
    return judge(
        new,
        engine=engine,
        availability=Availability(engine, convergence, kernel),
        attribute=Attribution(stack, containers, kernel).holders,
        doubtful=wanted.uncertain,
        held=held,
    )


def demo(*services: Service) -> Stack:
    return Stack(
        "demo",
        {service.name: service for service in services},
        {"default": Network("demo_default")},
    )


def shown(verdicts: Sequence[BindingVerdict]) -> list[tuple[str, str]]:
    return [(judged.binding.published, judged.verdict.value) for judged in verdicts]


def test_a_busy_number_splits_the_block_and_its_neighbours_stay_free() -> None:
    kernel = FakeKernel(
        {Endpoint(FIRST + 50, "0.0.0.0"): Probe.IN_USE},
        [listening("0.0.0.0", FIRST + 50)],
        complete=True,
    )
    verdicts = judged(
        demo(Service("turn", ports=tuple(entries(FIRST, 100)))), EngineRules("28.5.2"), kernel
    )
    assert shown(verdicts) == [
        ("21000-21049", "free"),
        ("21050", "conflict"),
        ("21051-21099", "free"),
    ]


def test_a_free_block_needs_as_many_probes_as_one_port() -> None:
    kernel = FakeKernel(complete=True)
    verdicts = judged(
        demo(Service("turn", ports=tuple(entries(49152, 16384, protocol="udp")))),
        EngineRules("28.5.2"),
        kernel,
    )
    assert shown(verdicts) == [("49152-65535", "free")]
    assert len(kernel.asked) == len(ANY)


def test_a_large_range_probes_only_the_numbers_in_use() -> None:
    kernel = FakeKernel(
        {Endpoint(30005, "0.0.0.0"): Probe.IN_USE}, [listening("0.0.0.0", 30005)], complete=True
    )
    (verdict,) = judged(
        demo(Service("web", ports=(PortEntry(80, "tcp", "30000-39999"),))),
        EngineRules("28.5.2"),
        kernel,
    )
    assert (verdict.verdict, verdict.note) == (Verdict.FREE, "partly busy: 1 of 10000 numbers")
    assert len(kernel.asked) == 2 * len(ANY)


def test_without_a_complete_table_every_number_is_probed() -> None:
    kernel = FakeKernel({Endpoint(FIRST + 7, "::"): Probe.IN_USE})
    verdicts = judged(
        demo(Service("turn", ports=tuple(entries(FIRST, 20)))), EngineRules("28.5.2"), kernel
    )
    assert shown(verdicts) == [
        ("21000-21006", "free"),
        ("21007", "conflict"),
        ("21008-21019", "free"),
    ]


def test_a_block_that_another_stack_has_is_one_conflict() -> None:
    taken = tuple(Endpoint(FIRST + step, address) for step in range(100) for address in ANY)
    rows = [listening(endpoint.address, endpoint.port, v6only=True) for endpoint in taken]
    kernel = FakeKernel(dict.fromkeys(taken, Probe.IN_USE), rows, complete=True)
    other = container("other", "turn", *taken)
    (verdict,) = judged(
        demo(Service("turn", ports=tuple(entries(FIRST, 100)))),
        EngineRules("28.5.2"),
        kernel,
        [other],
    )
    assert verdict.verdict is Verdict.CONFLICT
    assert verdict.conflict is not None
    assert (
        verdict.binding.published,
        len(verdict.conflict.endpoints),
        len(verdict.conflict.holders),
    ) == ("21000-21099", 200, 1)


def test_an_address_that_this_host_lacks_is_missing_for_the_whole_block() -> None:
    missing = dict.fromkeys(
        (Endpoint(FIRST + step, "198.51.100.7") for step in range(20)), Probe.NO_SUCH_ADDRESS
    )
    (verdict,) = judged(
        demo(Service("turn", ports=tuple(entries(FIRST, 20, host_ip="198.51.100.7")))),
        EngineRules("28.5.2"),
        FakeKernel(missing, complete=True),
    )
    assert verdict.conflict is not None
    assert (
        verdict.binding.published,
        verdict.conflict.reason.name,
        len(verdict.conflict.endpoints),
    ) == (
        "21000-21019",
        "NO_SUCH_ADDRESS",
        20,
    )


# Each number by itself: the entries of the blocks are in an order that cannot be folded.

ADDRESSES = ("", "", "0.0.0.0", "127.0.0.1", "::", "::1")


def random_stack(dice: random.Random) -> Stack:
    services = []
    for name in ("a", "b", "c")[: dice.choice((1, 2, 3))]:
        ports: list[PortEntry] = []
        for _ in range(dice.choice((1, 1, 2, 3))):
            first, count = FIRST + dice.randrange(12), dice.randrange(8, 14)
            protocol: TransportProtocol = dice.choice(("tcp", "tcp", "udp"))
            match dice.choice(("block", "block", "port", "range")):
                case "block":
                    target = dice.choice((first, 80))
                    ports += entries(
                        first,
                        count,
                        target=target,
                        protocol=protocol,
                        host_ip=dice.choice(ADDRESSES),
                    )
                case "port":
                    ports.append(
                        PortEntry(
                            dice.choice((80, first)), protocol, str(first), dice.choice(ADDRESSES)
                        )
                    )
                case _:
                    ports.append(
                        PortEntry(
                            80,
                            protocol,
                            f"{first}-{first + dice.randrange(1, 14)}",
                            dice.choice(ADDRESSES),
                        )
                    )
        services.append(
            Service(name, replicas=dice.choice((1, 1, 1, 2)), ports=tuple(dict.fromkeys(ports)))
        )
    return demo(*services)


def random_host(dice: random.Random, *, complete: bool) -> tuple[FakeKernel, list[Container]]:
    """Return sockets and containers whose probes, rows and lists are consistent."""
    rows: list[Listener] = []
    containers = []
    for number in range(dice.choice((0, 0, 1, 2))):
        first, count = FIRST + dice.randrange(20), dice.randrange(1, 15)
        protocol: TransportProtocol = dice.choice(("tcp", "udp"))
        places = dice.choice((ANY, ("127.0.0.1",), ("0.0.0.0",)))
        held = [
            Endpoint(port, place, protocol)
            for port in range(first, first + count)
            for place in places
        ]
        rows += [
            Listener(
                endpoint.protocol,
                endpoint.address,
                endpoint.port,
                "listen" if protocol == "tcp" else "bound",
                True,
            )
            for endpoint in held
        ]
        project, service = dice.choice((("other", "x"), ("demo", "a"), ("demo", "gone")))
        containers.append(
            container(
                project, service, *held, number=number + 1, config_hash=dice.choice(("same", "old"))
            )
        )
    for _ in range(dice.choice((0, 1, 3, 6))):
        address = dice.choice(("0.0.0.0", "127.0.0.1", "::", "::1"))
        v6only = dice.choice((True, False)) if ":" in address else None
        if dice.random() < 0.5:
            rows.append(
                Listener(
                    "udp", address, FIRST + dice.randrange(24), "bound", v6only, inode=len(rows) + 1
                )
            )
        else:
            rows.append(
                Listener(
                    "tcp",
                    address,
                    FIRST + dice.randrange(24),
                    "listen",
                    v6only,
                    inode=len(rows) + 1,
                )
            )
    asked = [
        Endpoint(port, address, protocol)
        for port in range(FIRST, FIRST + 40)
        for address in (*ADDRESSES[2:], "192.0.2.2")
        for protocol in ("tcp", "udp")
    ]
    answers = {
        endpoint: Probe.IN_USE for endpoint in asked if any(row.overlaps(endpoint) for row in rows)
    }
    return FakeKernel(answers, rows, complete=complete), containers


def by_number(verdicts: Sequence[BindingVerdict]) -> dict[object, object]:
    """Return the verdict and the holder of each number; ranges stay as they are."""
    result: dict[object, object] = {}
    for finding in verdicts:
        holders = finding.conflict.holders if finding.conflict else ()
        who = frozenset(
            holder.service if isinstance(holder, RivalBinding) else holder for holder in holders
        )
        reason = finding.conflict.reason if finding.conflict else None
        for single in finding.binding.singles():
            key = (
                single.service,
                single.replica,
                single.target,
                single.protocol,
                single.published,
                frozenset(single.addresses),
            )
            assert key not in result
            result[key] = (finding.verdict, reason, who, finding.note.partition(":")[0])
    return result


def unfolded(stack: Stack) -> Stack:
    services = {}
    for name, service in stack.services.items():
        ports = (*service.ports[::2], *service.ports[1::2])
        assert blocks.fold(ports) == list(ports)
        services[name] = replace(service, ports=ports)
    return replace(stack, services=services)


@pytest.mark.once
@pytest.mark.parametrize("version", ["20.10.24", "28.5.2"])
@pytest.mark.parametrize("complete", [True, False], ids=["complete table", "probes alone"])
def test_a_block_gets_the_verdicts_of_its_numbers(version: str, complete: bool) -> None:
    met = set()
    for seed in range(600):
        dice = random.Random(f"{version} {seed}")
        stack = random_stack(dice)
        kernel, containers = random_host(dice, complete=complete)
        folded = by_number(judged(stack, EngineRules(version), kernel, containers))
        assert folded == by_number(
            judged(unfolded(stack), EngineRules(version), kernel, containers)
        ), f"seed {seed}"
        met |= {value[0] for value in folded.values() if isinstance(value, tuple)}
    assert met == set(Verdict)
