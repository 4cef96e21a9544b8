"""Give a stack other host ports and names of its own, and find the moves of earlier runs again."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

from dartsctl.edges.state.moves import MoveBook
from dartsctl.errors import Advice, DartsctlError, DockerUnavailable, ExitCode
from dartsctl.ports import remapping
from dartsctl.ports.collisions import NameTaken, Taken
from dartsctl.ports.listeners import Probe
from dartsctl.ports.moves import AnyMove, Move, NameMove, SharedMove, port_moves
from dartsctl.ports.shared import SharedResource, fixed_subnet, resource_of, subnets_of
from dartsctl.records import record, replace
from dartsctl.stack.bindings import Endpoint, PortBinding
from dartsctl.stack.compose_model import read_stack
from dartsctl.system.files import PRIVATE_FOLDER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dartsctl.config.environment import Environment
    from dartsctl.ports.cases import Case
    from dartsctl.stack.bindings import TransportProtocol
    from dartsctl.stack.model import Stack
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.preflight.preflight import Preflight


def book_of(environment: Environment, deps: Deps) -> MoveBook:
    """Return the moves of an environment's project."""
    return MoveBook(deps.state, environment.project or environment.name)


def with_kept_moves(
    environment: Environment, *, deps: Deps, dry_run: bool = False, quiet: bool = False
) -> Environment:
    """Return the environment with the override of an earlier run, where its moves still fit.

    Production never has one. On a dry run Compose is given a temporary file, and the moves that are
    kept stay as they are. `quiet`: what moved matters to nobody.
    """
    book = book_of(environment, deps)
    moves = () if environment.is_production else book.read()
    if not moves:
        return environment
    model = read_stack(deps.compose_on(environment).config().model)
    fitting = remapping.still_fit(moves, model)
    if not fitting and not quiet:
        deps.screen.note("the Compose files have changed: restored their ports and names")
    if not fitting:
        return environment
    text = remapping.override(model, fitting)
    override = _draft(book.override, text) if dry_run else book.keep(fitting, text)
    if not quiet:
        for move in fitting:
            deps.screen.note(_kept(move, model))
        command = environment.command("up", "--reset-ports")
        deps.screen.note(f"`{command}` returns to the ports and names of the files")
    return replace(environment, files=(*environment.files, override))


def as_it_runs(
    environment: Environment, *, deps: Deps, dry_run: bool = False, quiet: bool = False
) -> Environment:
    """Return the environment with its moves, for an examination; as it is if it cannot be read.

    The preflight meets the same error, and says it. Raises DockerUnavailable.
    """
    if environment.files_error:
        return environment
    try:
        return with_kept_moves(environment, deps=deps, dry_run=dry_run, quiet=quiet)
    except DockerUnavailable:
        raise
    except DartsctlError:
        return environment


def _draft(override: Path, text: str) -> Path:
    """Write an override for this run alone, outside of the state folder, with the usual name.

    A watch asks for the same one again and again, for weeks: it may have been tidied away.
    """
    path = _draft_place(override, text)
    if path.exists():
        return path
    path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@cache
def _draft_place(override: Path, _text: str) -> Path:
    """Return a place of its own for each text. It is removed at the end of the process."""
    import atexit
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="dartsctl-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder / override.parent.name / override.name


def _kept(move: AnyMove, model: Stack) -> str:
    if isinstance(move, SharedMove):
        return f"on this machine: {resource_of(move.kind, move.key, move.old, model).move}"
    if isinstance(move, NameMove):
        return f"{move.service}: the container name {move.old} is not used on this machine"
    return f"{move.service}: port {move.old} is {move.new} on this machine"


@record
class _Wanted:
    """One entry of a service's ports that is to move. `old` is what the files say."""

    service: str
    target: int
    protocol: TransportProtocol
    old: str

    def on(self, number: int) -> Move:
        return Move(self.service, self.target, self.protocol, self.old, number)


@record
class MovePlan:
    """What moves, earlier moves included. `lines` say what is new."""

    model: Stack
    moves: tuple[AnyMove, ...]
    lines: tuple[str, ...]


def plan_moves(
    cases: Sequence[Case],
    before: Preflight,
    plain: Environment,
    *,
    avoid: frozenset[int],
    deps: Deps,
) -> MovePlan:
    """Return how every binding of the cases gets a free number, and every taken name is given up.

    `plain` is the environment without overrides. Raises DartsctlError (3) where no number is free.
    """
    model = read_stack(deps.compose_on(plain).config().model)
    fitting = _in_use(before, plain, model, deps)
    known = set(fitting)
    names, lines = _name_moves(cases, before)
    for resource in _resources(cases, before, model):
        move = SharedMove(resource.kind, resource.key, resource.name)
        if move not in known:
            names.append(move)
            lines.append(resource.move)
    ports = {_wanted_of(move): move for move in port_moves(fitting)}
    taken = set(avoid) | set(model.published_ports) | {move.new for move in ports.values()}
    bindings: list[PortBinding] = []
    for case in cases:
        bindings += case.bindings
    free_ports = _FreePorts(before, deps)
    for wanted, addresses in _wanted(bindings, ports.values()).items():
        is_free = partial(free_ports.have, wanted.protocol, tuple(addresses))
        first = int(wanted.old.partition("-")[0])
        number = remapping.choose(first, is_free=is_free, avoid=taken)
        if number is None:
            raise _no_free_port(wanted.service)
        taken.add(number)
        ports[wanted] = wanted.on(number)
        lines.append(f"{wanted.service}: port {wanted.old} is published on {number} here")
    others = [move for move in fitting if not isinstance(move, Move)]
    moves = (*others, *names, *ports.values())
    lines += remapping.stale_addresses(model, moves)
    return MovePlan(model, moves, tuple(lines))


def _in_use(before: Preflight, plain: Environment, model: Stack, deps: Deps) -> tuple[AnyMove, ...]:
    """Return the earlier moves; none where the preflight was made without them (--reset-ports)."""
    if before.environment == plain:
        return ()
    return remapping.still_fit(book_of(plain, deps).read(), model)


def remap(plan: MovePlan, plain: Environment, *, deps: Deps) -> Environment:
    """Keep the moves. Return the environment with the override."""
    override = book_of(plain, deps).keep(plan.moves, remapping.override(plan.model, plan.moves))
    for line in plan.lines:  # only after it is true: the disk may be full
        deps.screen.warn(line)
    return replace(plain, files=(*plain.files, override))


def _resources(cases: Sequence[Case], before: Preflight, model: Stack) -> Iterator[SharedResource]:
    """Yield what the stack gets for itself.

    A network that gets a name of its own exists beside the other one, so it cannot have the same
    subnet. An image moves along with anything else: the next build would replace the other's.
    """
    if not any(_is_beside_another_stack(case, before) for case in cases):
        return
    moved: set[str] = set()
    for case in cases:
        if isinstance(case.holder, SharedResource) and case.holder.kind != "image":
            yield case.holder
            if case.holder.kind == "network" and subnets_of(model, case.holder.key):
                moved.add(case.holder.key)
    for key in sorted(moved):
        yield fixed_subnet(model, key)
    for resource in before.shared:
        if resource.kind == "image":
            yield resource


def _is_beside_another_stack(case: Case, before: Preflight) -> bool:
    if isinstance(case.holder, Taken):
        return True
    container = case.holder.container
    return container is not None and container.project not in ("", before.stack.project)


def _no_free_port(service: str) -> DartsctlError:
    return DartsctlError(
        f"no free port is left for {service}",
        hint=Advice("free one, then try again"),
        code=ExitCode.CONFLICT,
    )


def _name_moves(cases: Sequence[Case], before: Preflight) -> tuple[list[AnyMove], list[str]]:
    """The services whose container name is taken, and a note on each."""
    moves: list[AnyMove] = []
    notes: list[str] = []
    for case in cases:
        if isinstance(case.holder, NameTaken):
            service, name = case.holder.service, case.holder.container.name
            new = f"{before.stack.project}-{service}-1"
            moves.append(NameMove(service, name))
            notes.append(f"{service}: its container is {new} here; {name} belongs to another stack")
    return moves, notes


def pin(before: Preflight, plain: Environment, *, deps: Deps) -> Environment | None:
    """Publish one free number instead of a range of which this engine may pick a busy one.

    Only where one container wants the range: a number cannot be shared. Production keeps what its
    files say, with a warning. Return None where there is nothing to pin.
    """
    doubtful = [
        checked.binding
        for checked in before.verdicts.bindings
        if checked.pinnable and before.stack.services[checked.binding.service].replicas == 1
    ]
    if plain.is_production or not doubtful:
        return None
    model = read_stack(deps.compose_on(plain).config().model)
    moves = list(_in_use(before, plain, model, deps))
    notes = []
    free_ports = _FreePorts(before, deps)
    for wanted, addresses in _wanted(doubtful, port_moves(moves)).items():
        first, last = map(int, wanted.old.split("-"))
        is_free = partial(free_ports.have, wanted.protocol, tuple(addresses))
        number = next(filter(is_free, range(first, last + 1)), None)
        if number is not None:
            moves.append(wanted.on(number))
            reason = f"of {wanted.old} this engine might pick a busy number"
            notes.append(f"{wanted.service}: {reason}; published on {number}")
    if not moves:
        return None
    override = book_of(plain, deps).keep(moves, remapping.override(model, moves))
    for note in notes:
        deps.screen.note(note)
    return replace(plain, files=(*plain.files, override))


def _wanted_of(move: Move) -> _Wanted:
    return _Wanted(move.service, move.target, move.protocol, move.old)


def _wanted(
    bindings: Iterable[PortBinding], kept: Iterable[Move]
) -> dict[_Wanted, dict[str, None]]:
    """What is to move, with every host address on which it is wanted: one number for all of them.

    A binding that was moved before counts by the number of the files.
    """
    old_numbers = {
        (move.service, move.target, move.protocol, str(move.new)): move.old for move in kept
    }
    wanted: dict[_Wanted, dict[str, None]] = {}
    for binding in bindings:
        for single in binding.singles():
            now = (single.service, single.target, single.protocol, single.published)
            old = old_numbers.get(now, single.published)
            key = _Wanted(single.service, single.target, single.protocol, old)
            wanted.setdefault(key, {}).update(dict.fromkeys(single.addresses))
    return wanted


class _FreePorts:
    """Tells which numbers are free on this host. Those that any container publishes are not."""

    def __init__(self, before: Preflight, deps: Deps) -> None:
        self._host = deps.host()
        self._published: set[int] = set()
        for container in before.containers:
            self._published.update(endpoint.port for endpoint in container.published)

    def have(self, protocol: TransportProtocol, addresses: Iterable[str], port: int) -> bool:
        """Return whether a number is free on all addresses."""
        if port in self._published:
            return False
        for address in addresses:
            endpoint = Endpoint(port, address, protocol)
            if self._host.probe(endpoint, udp_reuse_address=False) is not Probe.FREE:
                return False
        return True
