"""The work of each step grows with the size of a stack, and not with its square."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from counting import growth
from dartsctl.ports import collisions, fixed_addresses, lint, remapping, reservation, shared
from dartsctl.ports import strangers as strangers_of
from dartsctl.ports.allocation import Allocation
from dartsctl.ports.attribution import Attribution
from dartsctl.ports.availability import Availability
from dartsctl.ports.cases import Case, group_by_holder
from dartsctl.ports.choices import ResolutionRequest, by_policy
from dartsctl.ports.conflicts import BindingVerdict, PortVerdicts
from dartsctl.ports.listeners import Listener, Probe
from dartsctl.ports.localhost import ambiguous_localhost
from dartsctl.ports.moves import AnyMove, Move, NameMove, SharedMove
from dartsctl.ports.process import Process
from dartsctl.ports.resolution import decide
from dartsctl.ports.shared import Neighbours
from dartsctl.ports.strangers import Lookout
from dartsctl.ports.verdicts import judge
from dartsctl.records import replace
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.containers import Container
from dartsctl.stack.convergence import converge
from dartsctl.stack.engine_rules import EngineRules
from dartsctl.stack.model import Network, PortEntry, Service, Stack
from dartsctl.stack.port_origins import trace
from dartsctl.stack.publishing import stack_bindings
from dartsctl.stack.same_stack import find_same_stack
from dartsctl.stack.subnets import Subnet
from dartsctl.workflows.preflight import report
from dartsctl.workflows.preflight.orphans import split
from dartsctl.workflows.preflight.preflight import Preflight
from dartsctl.workflows.preflight.rival_words import files_to_change, remedy_lines
from fakes.kernel import FakeKernel, container
from fakes.preflights import preflight

SIZE = 60
"""The smaller size. The other one is twice that."""
LINEAR = 2.5
"""The most by which the work may grow meanwhile: a square would make it four times as much."""
ENGINE = EngineRules("28.5.2")
FILES = ("/srv/demo/compose.yml",)
EACH = 2
BASE = 20_000

Work = Callable[[], object]


def entries(first: int, count: int = EACH, host_ip: str = "") -> tuple[PortEntry, ...]:
    """Ports on numbers that are no run: every second one."""
    return tuple(
        PortEntry(80 + place, "tcp", str(first + 2 * place), host_ip) for place in range(count)
    )


def stack_of(size: int, *, host_ip: str = "", named: bool = False) -> Stack:
    services: dict[str, Service] = {}
    for number in range(size):
        name = f"s{number}"
        services[name] = Service(
            name,
            ports=entries(BASE + 2 * EACH * number, host_ip=host_ip),
            container_name=f"name-{number}" if named else "",
            image=f"shop/{name}",
            is_built=named,
            volumes=(f"v{number}",),
            fixed_addresses={"default": (f"10.9.0.{number + 2}",)} if named else {},
        )
    network = Network("demo_default", subnets=(Subnet("10.9.0.0/16"),))
    volumes = {f"v{number}": f"fixed-{number}" for number in range(size)}
    return Stack("demo", services, {"default": network}, own_volumes=volumes)


def endpoints_of(service: Service) -> list[Endpoint]:
    return [Endpoint(port, "0.0.0.0") for entry in service.ports for port in entry.numbers]


def containers_of(stack: Stack, project: str, config_hash: str = "same") -> list[Container]:
    return [
        replace(
            container(project, service.name, *endpoints_of(service), config_hash=config_hash),
            name=service.container_name or f"{project}-{service.name}-1",
            volumes=tuple(stack.own_volumes[key] for key in service.volumes),
        )
        for service in stack.services.values()
    ]


def one_container(stack: Stack) -> Container:
    published: list[Endpoint] = []
    for service in stack.services.values():
        published += endpoints_of(service)
    return container("other", "everything", *published)


class IndexedKernel(FakeKernel):
    """A host whose own answers do not take longer, the more sockets there are."""

    def __init__(self, rows: Sequence[Listener], processes: Sequence[Process] = ()) -> None:
        answers = {row.endpoint: Probe.IN_USE for row in rows}
        super().__init__(answers, processes=processes, complete=True)
        self._on_port: dict[int, tuple[Listener, ...]] = {}
        for row in rows:
            self._on_port[row.port] = (*self._on_port.get(row.port, ()), row)

    def listeners(self, port: int) -> tuple[Listener, ...]:
        return self._on_port.get(port, ())

    def blockers(self, port: int) -> tuple[Listener, ...]:
        return self.listeners(port)


def kernel_of(stack: Stack, *, pids: Sequence[int] = ()) -> IndexedKernel:
    """A host on which somebody listens on all ports of the stack: in turn one of the `pids`."""
    rows: list[Listener] = []
    for service in stack.services.values():
        for endpoint in endpoints_of(service):
            own = (pids[len(rows) % len(pids)],) if pids else ()
            rows.append(Listener("tcp", endpoint.address, endpoint.port, "listen", pids=own))
    return IndexedKernel(rows, [Process(pid, "python", 1) for pid in pids])


def judged(
    stack: Stack, containers: Sequence[Container] = (), kernel: FakeKernel | None = None
) -> tuple[BindingVerdict, ...]:
    host = kernel or IndexedKernel(())
    wanted = stack_bindings(stack, ENGINE)
    return judge(
        wanted.bindings,
        engine=ENGINE,
        availability=Availability(ENGINE, converge(stack, containers, {}), host),
        attribute=Attribution(stack, containers, host).holders,
        doubtful=wanted.uncertain,
    )


def rival_stack(size: int) -> Stack:
    """A service with all its ports twice, on numbers that are no run."""
    ports = (*entries(BASE, size), *(replace(port, target=9) for port in entries(BASE, size)))
    return Stack("demo", {"web": Service("web", ports=ports)}, {"default": Network("d")})


def rivals(size: int) -> Preflight:
    """The preflight of a service whose ports two files publish."""
    stack = rival_stack(size)
    web = stack.services["web"]
    earlier = replace(stack, services={"web": replace(web, ports=web.ports[:size])})
    origins = trace(stack, (Path("/a.yml"), Path("/b.yml")), [earlier])
    verdicts = PortVerdicts(judged(stack))
    return preflight(stack=stack, verdicts=verdicts, port_origins=origins)


class NoInspector:
    """A host whose processes nobody can be asked about."""

    def __getattr__(self, name: str) -> Callable[..., object]:
        return lambda *_: ()


def cases_of(stack: Stack, containers: Sequence[Container], kernel: FakeKernel) -> tuple[Case, ...]:
    conflicts = PortVerdicts(judged(stack, containers, kernel)).conflicts
    return group_by_holder(conflicts, (), stack, NoInspector())  # type: ignore[arg-type]


def _decided(stack: Stack, containers: Sequence[Container], kernel: FakeKernel) -> Work:
    cases = cases_of(stack, containers, kernel)
    request = ResolutionRequest("remap", remappable=True)
    return lambda: decide(cases, request, lambda _, offered: by_policy("remap", offered))


def _grouped(stack: Stack, containers: Sequence[Container], kernel: FakeKernel) -> Work:
    conflicts = PortVerdicts(judged(stack, containers, kernel)).conflicts
    return lambda: group_by_holder(conflicts, (), stack, NoInspector())  # type: ignore[arg-type]


def _collisions(stack: Stack, containers: Sequence[Container], config_hash: str) -> Work:
    hashes = dict.fromkeys(stack.services, config_hash)
    convergence = converge(stack, containers, hashes)
    return lambda: collisions.find(stack, containers, convergence, FILES)


def _looked_out(stack: Stack) -> Work:
    theirs = containers_of(stack, "other")
    kernel = kernel_of(stack, pids=range(1, len(theirs)))
    wanted = strangers_of.wanted_ports(stack, ENGINE, Allocation({}))
    rows = {port.port: kernel.listeners(port.port) for port in wanted}
    lookout = Lookout(stack, ENGINE, theirs, Attribution(stack, theirs, kernel))
    return lambda: lookout.occupations(wanted, rows)


def _asked_by_port(stack: Stack) -> Work:
    """As `ports` asks for each port who has it."""
    kernel, theirs = kernel_of(stack), containers_of(stack, "other")
    attribution = Attribution(None, theirs, kernel)
    return lambda: [attribution.holders_on(port) for port in stack.published_ports]


def _reserved_by_port(stack: Stack) -> Work:
    own = frozenset(endpoint for each in stack.services.values() for endpoint in endpoints_of(each))
    reserve = reservation.Reservation("other", 6, 7, own, own)
    attribution = Attribution(None, (), IndexedKernel(()), reservations=lambda: (reserve,))
    return lambda: [attribution.holders_on(port) for port in stack.published_ports]


def _documented(size: int) -> Work:
    documented = Allocation.of({f"d{number}": (40_000 + number,) for number in range(size)})
    stack = stack_of(size)
    return lambda: strangers_of.wanted_ports(stack, ENGINE, documented)


def _moves(stack: Stack) -> list[AnyMove]:
    moves: list[AnyMove] = []
    for service in stack.services.values():
        moves += [
            Move(service.name, port.target, "tcp", port.published, port.span[0] + 1)
            for port in service.ports
        ]
        moves.append(NameMove(service.name, service.container_name))
    for key, name in stack.own_volumes.items():
        moves.append(SharedMove("volume", key, name))
    return moves


def _overridden(stack: Stack) -> Work:
    moves = _moves(stack)
    return lambda: remapping.override(stack, moves)


def _fitting(stack: Stack) -> Work:
    moves = _moves(stack)
    return lambda: remapping.still_fit(moves, stack)


def _shared(stack: Stack) -> Work:
    neighbours = Neighbours(containers_of(stack, "demo-2"), base="demo")
    return lambda: list(shared.find(stack, neighbours))


def _localhost(stack: Stack) -> Work:
    verdicts = judged(stack)
    return lambda: ambiguous_localhost(verdicts, lambda _: ())


def _of_rivals(say: Callable[[Preflight], object], size: int) -> Work:
    before = rivals(size)
    return lambda: say(before)


def _appended(size: int) -> Work:
    before = rivals(size)
    moved = [replace(port, published=f"5{port.published[1:]}") for port in entries(BASE, size)]
    web = replace(before.stack.services["web"], ports=(*entries(BASE, size), *moved))
    stack = replace(before.stack, services={"web": web})
    earlier = replace(stack, services={"web": replace(web, ports=entries(BASE, size))})
    origins = trace(stack, (Path("/a.yml"), Path("/b.yml")), [earlier])
    return lambda: lint.appended(stack, origins)


def _addresses(stack: Stack) -> Work:
    others = containers_of(stack, "other")
    convergence = converge(stack, others, {})
    return lambda: list(fixed_addresses.taken_addresses(stack, {}, others, convergence))


def _split(stack: Stack) -> Work:
    theirs = containers_of(stack, "demo")
    return lambda: split(theirs, FILES)


def _same_stack(stack: Stack) -> Work:
    theirs = containers_of(stack, "other")
    return lambda: find_same_stack(stack, theirs, ("/elsewhere/compose.yml",))


def _blocks(size: int, *, busy: bool) -> Work:
    """A block of ports; with `busy`, a process listens on each of them."""
    ports = tuple(PortEntry(port, "tcp", str(port)) for port in range(BASE, BASE + 8 * size))
    stack = Stack("demo", {"web": Service("web", ports=ports)}, {"default": Network("d")})
    kernel = kernel_of(stack, pids=(7,)) if busy else IndexedKernel(())
    return lambda: judged(stack, (), kernel)


def _same_range(size: int, *, others: bool) -> Work:
    """Replicas, or services, that all want one of the same thousand numbers."""
    port = PortEntry(80, "tcp", f"{BASE}-{BASE + 999}")
    services = [Service("web", ports=(port,), replicas=size)]
    if others:
        services = [Service(f"s{number}", ports=(port,)) for number in range(size)]
    stack = Stack("demo", {each.name: each for each in services}, {"default": Network("d")})
    return lambda: judged(stack)


STEPS: dict[str, Callable[[int], Work]] = {
    "bindings": lambda size: lambda: stack_bindings(stack_of(size), ENGINE),
    "verdicts, all free": lambda size: lambda: judged(stack_of(size)),
    "verdicts, each port another container's": lambda size: (
        lambda: judged(stack_of(size), containers_of(stack_of(size), "other"))
    ),
    "verdicts, all ports one container's": lambda size: (
        lambda: judged(stack_of(size), [one_container(stack_of(size))])
    ),
    "verdicts, each port another process's": lambda size: (
        lambda: judged(stack_of(size), (), kernel_of(stack_of(size), pids=range(1, size)))
    ),
    "verdicts, own containers that are replaced": lambda size: (
        lambda: judged(
            stack_of(size), containers_of(stack_of(size), "demo"), kernel_of(stack_of(size))
        )
    ),
    "verdicts, ports that are wanted twice": lambda size: lambda: judged(rival_stack(size)),
    "verdicts, a free block": lambda size: _blocks(size, busy=False),
    "verdicts, a busy block": lambda size: _blocks(size, busy=True),
    "verdicts, replicas of one range": lambda size: _same_range(size, others=False),
    "verdicts, services with one range": lambda size: _same_range(size, others=True),
    "cases, many containers": lambda size: _grouped(
        stack_of(size), containers_of(stack_of(size), "other"), FakeKernel()
    ),
    "cases, one container": lambda size: _grouped(
        stack_of(size), [one_container(stack_of(size))], FakeKernel()
    ),
    "a plan, many containers": lambda size: _decided(
        stack_of(size), containers_of(stack_of(size), "other"), FakeKernel()
    ),
    "a plan, unseen owners": lambda size: _decided(stack_of(size), (), kernel_of(stack_of(size))),
    "a plan, rivals": lambda size: _decided(rival_stack(size), (), FakeKernel()),
    "collisions, own containers": lambda size: _collisions(
        stack_of(size), containers_of(stack_of(size), "demo"), "same"
    ),
    "collisions, replaced containers": lambda size: _collisions(
        stack_of(size), containers_of(stack_of(size), "demo"), "other"
    ),
    "collisions, names": lambda size: _collisions(
        stack_of(size, named=True), containers_of(stack_of(size, named=True), "other"), ""
    ),
    "who is on the ports": lambda size: _looked_out(stack_of(size)),
    "who has each port": lambda size: _asked_by_port(stack_of(size)),
    "who reserves each port": lambda size: _reserved_by_port(stack_of(size)),
    "documented ports": _documented,
    "the override": lambda size: _overridden(stack_of(size, named=True)),
    "moves that still fit": lambda size: _fitting(stack_of(size, named=True)),
    "what is shared": lambda size: _shared(stack_of(size, named=True)),
    "localhost": lambda size: _localhost(stack_of(size, host_ip="127.0.0.1")),
    "rivals as JSON": lambda size: _of_rivals(report.document, size),
    "rivals in words": lambda size: _of_rivals(report.conflict_texts, size),
    "what to change about rivals": lambda size: _of_rivals(remedy_lines, size),
    "the files to change": lambda size: _of_rivals(files_to_change, size),
    "appended ports": _appended,
    "fixed addresses": lambda size: _addresses(stack_of(size, named=True)),
    "orphans": lambda size: _split(stack_of(size)),
    "the same stack": lambda size: _same_stack(stack_of(size)),
}


@pytest.mark.parametrize("step", STEPS)
def test_twice_the_stack_is_twice_the_work(step: str) -> None:
    assert growth(STEPS[step], SIZE) < LINEAR
