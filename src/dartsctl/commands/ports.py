"""`ports`: who owns which port: production's allocation and the dev range, each with its holder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dartsctl.config.environment import Environment
from dartsctl.edges.engine.protocol import Engine
from dartsctl.edges.screen.output import Screen
from dartsctl.edges.state.moves import MoveBook
from dartsctl.errors import DartsctlError, ExitCode
from dartsctl.ports import lint
from dartsctl.ports.allocation import Allocation, PortRange
from dartsctl.ports.attribution import Attribution
from dartsctl.ports.holders import DevLease, ForeignContainer, Holder
from dartsctl.ports.remapping import Move
from dartsctl.stack.blocks import SHORTEST
from dartsctl.stack.containers import Container
from dartsctl.stack.model import Stack, read_stack
from dartsctl.workflows.deps import Deps


@dataclass(frozen=True, slots=True)
class PortsRequest:
    """What `ports` shows. `projects` are those whose moved ports are listed; `production` is None without its Compose files."""

    allocation: Allocation
    dev_range: PortRange
    production: Environment | None
    projects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PortRow:
    """One port: whose it is by the allocation, and who has it now."""

    port: int
    owner: str
    holders: tuple[Holder, ...]
    note: str = ""
    count: int = 1
    """How many ports in a row are alike, this one the first."""

    @property
    def name(self) -> str:
        return str(self.port) if self.count == 1 else f"{self.port}-{self.port + self.count - 1}"


def ports(request: PortsRequest, *, deps: Deps) -> ExitCode:
    """Show both, and by project what has moved on this machine. What production's stack publishes is united with `allocation`."""
    allocation, dev_range = request.allocation, request.dev_range
    production = deps.compose_on(request.production) if request.production else None
    moved = {project: _moves(MoveBook(deps.state, project)) for project in request.projects}
    running = production.start_config() if production else None
    containers, engine_note = _containers(deps.engine)
    model: Stack | None = None
    model_note = ""
    if production and running:
        try:
            model = read_stack(production.finish_config(running).model)
        except DartsctlError as error:
            model_note = error.message
    owners = allocation.united_with(model.published_ports if model else {}).owners
    host = deps.host()
    attribution = Attribution(None, containers, host)
    project = request.production.project if request.production else None
    host.read_ahead(
        [*owners, *dev_range.numbers, *(one.new for moves in moved.values() for one in moves)]
    )
    rows = [
        PortRow(
            port,
            owners[port],
            found := attribution.holders_on(port),
            _judge(owners[port], found, project),
        )
        for port in sorted(owners)
    ]
    rows = _folded(rows)
    dev = [
        PortRow(port, "dev range", found)
        for port in dev_range.numbers
        if port not in owners and (found := attribution.holders_on(port))
    ]
    elsewhere = [
        PortRow(one.new, f"{project}/{one.service}", attribution.holders_on(one.new), one.old)
        for project, moves in moved.items()
        for one in moves
    ]
    notices = lint.drift(model, allocation) if model else ()
    _show(
        rows,
        dev,
        dev_range,
        elsewhere,
        notices,
        [note for note in (engine_note, model_note) if note],
        deps.screen,
    )
    return ExitCode.OK


def _moves(book: MoveBook) -> list[Move]:
    return [move for move in book.read() if isinstance(move, Move)]


def _folded(rows: Sequence[PortRow]) -> list[PortRow]:
    """Long runs of ports that are alike in one row each: a published range of thousands is one line."""
    runs: list[list[PortRow]] = []
    for row in rows:
        if (
            runs
            and replace(runs[-1][-1], port=row.port) == row
            and runs[-1][-1].port + 1 == row.port
        ):
            runs[-1].append(row)
        else:
            runs.append([row])
    return [
        row
        for run in runs
        for row in (run if len(run) < SHORTEST else [replace(run[0], count=len(run))])
    ]


def _containers(engine: Callable[[], Engine]) -> tuple[tuple[Container, ...], str]:
    """The engine's list, or why there is none: the sockets are shown all the same."""
    try:
        return engine().containers(), ""
    except DartsctlError as error:
        return (), error.message


def _judge(owner: str, holders: Sequence[Holder], project: str | None) -> str:
    if not holders:
        return "free"
    for holder in holders:
        if (
            not isinstance(holder, ForeignContainer)
            or holder.container.service != owner
            or (project and holder.container.project != project)
        ):
            return "wrong owner"
    return "held by its service"


def _show(
    rows: Sequence[PortRow],
    dev: Sequence[PortRow],
    dev_range: PortRange,
    moved: Sequence[PortRow],
    notices: Sequence[lint.Notice],
    notes: Sequence[str],
    screen: Screen,
) -> None:
    if screen.as_json:
        screen.document(
            {
                "ok": True,
                "exit_code": 0,
                "production": [
                    {**_document(row), "owner": row.owner, "state": row.note} for row in rows
                ],
                "dev_range": {
                    "first": dev_range.first,
                    "last": dev_range.last,
                    "held": [_document(row) for row in dev],
                },
                "moved": [
                    {**_document(row), "owner": row.owner, "instead_of": row.note} for row in moved
                ],
                "warnings": [
                    {"code": one.code, "service": one.service, "message": one.sentence}
                    for one in notices
                ],
                "notes": list(notes),
            }
        )
        return
    screen.table(
        ("PORT", "OWNER", "STATE", "HOLDER"),
        [(row.name, row.owner, row.note, _who(row)) for row in rows],
    )
    if dev:
        screen.table(
            ("PORT", "DEV RANGE", "HOLDER"),
            [(str(row.port), "leased" if _leased(row) else "busy", _who(row)) for row in dev],
        )
    else:
        screen.note(f"dev range {dev_range}: all free")
    screen.table(
        ("PORT", "MOVED FROM", "SERVICE", "HOLDER"),
        [(str(row.port), row.note, row.owner, _who(row)) for row in moved],
    )
    for one in notices:
        screen.warn(f"{one.service}: {one.sentence}")
    for note in notes:
        screen.warn(note)


def _leased(row: PortRow) -> bool:
    return any(isinstance(holder, DevLease) for holder in row.holders)


def _who(row: PortRow) -> str:
    return "; ".join(holder.description for holder in row.holders) or "-"


def _document(row: PortRow) -> dict[str, Any]:
    return {
        "port": row.port,
        "count": row.count,
        "holders": [holder.document() for holder in row.holders],
    }
