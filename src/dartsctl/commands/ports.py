"""`ports`: who owns each port of production and of the dev range, and who is using it."""

from __future__ import annotations

from dartsctl.edges.state.moves import MoveBook
from dartsctl.errors import DartsctlError, ExitCode
from dartsctl.ports.attribution import Attribution
from dartsctl.ports.holders import DevLease, ForeignContainer, Holder, Reserved
from dartsctl.ports.moves import Move
from dartsctl.records import record, replace
from dartsctl.stack.blocks import SHORTEST_BLOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from dartsctl.config.environment import Environment
    from dartsctl.edges.screen.output import Screen
    from dartsctl.ports.allocation import Allocation, PortRange
    from dartsctl.ports.notices import Notice
    from dartsctl.stack.containers import Container
    from dartsctl.stack.model import Stack
    from dartsctl.workflows.deps import Deps


@record
class PortsRequest:
    """What `ports` shows."""

    allocation: Allocation
    """Production's documented ports."""
    dev_range: PortRange
    production: Environment | None
    """None if nothing says which Compose files production has."""
    problem: str = ""
    """Why production is not known."""
    projects: tuple[str, ...] = ()
    """The projects whose remapped ports are listed."""


@record
class PortRow:
    """One port, or `count` ports in a row that are alike: the owner, and the holders now."""

    port: int
    owner: str
    holders: tuple[Holder, ...]
    note: str = ""
    count: int = 1
    origin: str = ""
    """Who says that it is production's."""

    @property
    def name(self) -> str:
        if self.count == 1:
            return str(self.port)
        return f"{self.port}-{self.port + self.count - 1}"

    @property
    def who(self) -> str:
        return "; ".join(holder.description for holder in self.holders) or "-"

    @property
    def use(self) -> str:
        """What a port of the dev range is used for: `leased` to a dev server, or `busy`."""
        is_leased = any(isinstance(holder, DevLease) for holder in self.holders)
        return "leased" if is_leased else "busy"

    def document(self) -> dict[str, Any]:
        holders = [holder.document() for holder in self.holders]
        return {"port": self.port, "count": self.count, "holders": holders}


@record
class _Result:
    """What is shown. `note` is the state of a row of `production`, the old port of `moved`."""

    production: Sequence[PortRow]
    dev_range: PortRange
    dev: Sequence[PortRow]
    moved: Sequence[PortRow]
    notices: Sequence[Notice]
    notes: Sequence[str]
    """What could not be read."""


def ports(request: PortsRequest, *, deps: Deps) -> ExitCode:
    """Show production's ports, the dev range, and what was remapped on this machine.

    Production's ports are the documented ones, and those that its stack publishes.
    """
    moved = {project: _moves(MoveBook(deps.state, project)) for project in request.projects}
    stack, containers, notes = _read(request, deps)
    published = stack.published_ports if stack else {}
    files = request.production.shown_files if request.production else ""
    allocation = request.allocation.united_with(published, files)
    owners = allocation.owners
    host = deps.host()
    numbers = {*owners, *request.dev_range.numbers, *_new_ports(moved)}
    host.read_ahead(numbers, blockers_only=True)
    attribution = Attribution(None, containers, host, reservations=host.reservations)
    project = request.production.project if request.production else None
    result = _Result(
        production=_folded(_production_rows(allocation, attribution, project)),
        dev_range=request.dev_range,
        dev=list(_dev_rows(request.dev_range, owners, attribution)),
        moved=list(_moved_rows(moved, attribution)),
        notices=_drift(stack, request.allocation),
        notes=notes,
    )
    if deps.screen.as_json:
        deps.screen.document(_document(result))
    else:
        _show(result, deps.screen)
    return ExitCode.OK


# --- what is read -----------------------------------------------------------------------------


def _read(
    request: PortsRequest, deps: Deps
) -> tuple[Stack | None, tuple[Container, ...], list[str]]:
    """Return production's stack, the engine's containers, and notes about what is missing.

    Without an engine or readable Compose files, sockets and documented ports are still shown.
    """
    notes: list[str] = []
    if request.production is None:
        notes.append(request.problem)
        return None, _containers(deps, notes), notes
    compose = deps.compose_on(request.production)
    running = compose.start_config()
    containers = _containers(deps, notes)
    from dartsctl.stack.compose_model import read_stack  # while Compose resolves the files

    try:
        return read_stack(compose.finish_config(running).model), containers, notes
    except DartsctlError as error:
        return None, containers, [*notes, error.message]


def _drift(stack: Stack | None, allocation: Allocation) -> tuple[Notice, ...]:
    if stack is None:
        return ()
    from dartsctl.ports.drift import drift

    return drift(stack, allocation)


def _containers(deps: Deps, notes: list[str]) -> tuple[Container, ...]:
    try:
        return deps.engine().containers()
    except DartsctlError as error:
        notes.append(error.message)
        return ()


def _moves(book: MoveBook) -> list[Move]:
    return [move for move in book.read() if isinstance(move, Move)]


def _new_ports(moved: Mapping[str, Sequence[Move]]) -> Iterator[int]:
    for moves in moved.values():
        for move in moves:
            yield move.new


# --- rows -------------------------------------------------------------------------------------


def _production_rows(
    allocation: Allocation, attribution: Attribution, project: str | None
) -> Iterator[PortRow]:
    for port, owner in sorted(allocation.owners.items()):
        holders = attribution.holders_on(port)
        origin = allocation.origins.get(port) or "default list"
        yield PortRow(port, owner, holders, _state(owner, holders, project), origin=origin)


def _dev_rows(
    dev_range: PortRange, owners: Mapping[int, str], attribution: Attribution
) -> Iterator[PortRow]:
    for port in dev_range.numbers:
        if port in owners:
            continue
        if holders := attribution.holders_on(port):
            yield PortRow(port, "dev range", holders)


def _moved_rows(moved: Mapping[str, Sequence[Move]], attribution: Attribution) -> Iterator[PortRow]:
    for project, moves in moved.items():
        for move in moves:
            holders = attribution.holders_on(move.new)
            yield PortRow(move.new, f"{project}/{move.service}", holders, move.old)


def _folded(rows: Iterator[PortRow]) -> list[PortRow]:
    """Join long runs of equal rows: a published range of thousands of ports is one row."""
    runs: list[list[PortRow]] = []
    for row in rows:
        if runs and row == replace(runs[-1][-1], port=runs[-1][-1].port + 1):
            runs[-1].append(row)
        else:
            runs.append([row])
    folded: list[PortRow] = []
    for run in runs:
        if len(run) < SHORTEST_BLOCK:
            folded += run
        else:
            folded.append(replace(run[0], count=len(run)))
    return folded


def _state(owner: str, holders: Sequence[Holder], project: str | None) -> str:
    if not holders:
        return "free"
    if not owner:  # of the default list: no service of this project is known to want it
        return "in use"
    if all(isinstance(holder, Reserved) and holder.project == project for holder in holders):
        return "reserved"
    if all(_is_service(holder, owner, project) for holder in holders):
        return "held by its service"
    return "wrong owner"


def _is_service(holder: Holder, service: str, project: str | None) -> bool:
    if not isinstance(holder, ForeignContainer) or holder.container.service != service:
        return False
    return not project or holder.container.project == project


# --- the result -------------------------------------------------------------------------------


def _document(result: _Result) -> dict[str, Any]:
    return {
        "ok": True,
        "exit_code": 0,
        "production": [
            {**row.document(), "owner": row.owner, "origin": row.origin, "state": row.note}
            for row in result.production
        ],
        "dev_range": {
            "first": result.dev_range.first,
            "last": result.dev_range.last,
            "held": [row.document() for row in result.dev],
        },
        "moved": [
            {**row.document(), "owner": row.owner, "instead_of": row.note} for row in result.moved
        ],
        "warnings": [notice.document() for notice in result.notices],
        "notes": list(result.notes),
    }


def _show(result: _Result, screen: Screen) -> None:
    screen.table(
        ("PORT", "OWNER", "STATE", "HOLDER"),
        [
            (row.name, row.owner or f"({row.origin})", row.note, row.who)
            for row in result.production
        ],
    )
    if not all(row.owner for row in result.production):
        screen.note(
            "the default list is dartsctl's own; [ports.production] in dartsctl.toml replaces it"
        )
    if result.dev:
        screen.table(
            ("PORT", "DEV RANGE", "HOLDER"),
            [(row.name, row.use, row.who) for row in result.dev],
        )
    else:
        screen.note(f"dev range {result.dev_range}: all free")
    screen.table(
        ("PORT", "MOVED FROM", "SERVICE", "HOLDER"),
        [(row.name, row.note, row.owner, row.who) for row in result.moved],
    )
    for notice in result.notices:
        screen.warn(notice.line)
    for note in result.notes:
        screen.warn(note)
