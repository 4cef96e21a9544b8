"""Carry out what was decided about conflicts, one step at a time, each looked at again before and after (DESIGN 4).

A process is ended by workflows/up/stop_process.py, with its nevers. A container is stopped through the engine, never its proxy killed; a volume is
never removed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from dartsctl.edges.engine.protocol import Engine
from dartsctl.edges.host import processes, systemd
from dartsctl.edges.screen.output import Screen
from dartsctl.edges.screen.prompts import Prompts
from dartsctl.edges.state.history import History
from dartsctl.edges.state.leases import LeaseBook
from dartsctl.errors import DartsctlError, TimedOut
from dartsctl.ports import cases, resolution
from dartsctl.ports.availability import Reason
from dartsctl.ports.cases import Case, SystemdUnit
from dartsctl.ports.collisions import NameTaken
from dartsctl.ports.conflicts import Conflict
from dartsctl.ports.holders import DevLease, HostProcess
from dartsctl.ports.listeners import Probe
from dartsctl.ports.process import Process
from dartsctl.ports.resolution import Choice, ResolutionAction, ResolutionStep
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.containers import Container
from dartsctl.workflows.host import Host
from dartsctl.workflows.up import report, stop_process, stop_server

GRACE = 10.0
"""Seconds between SIGTERM and the question about SIGKILL."""
SETTLE = 2.0
"""Seconds during which a stopped process is looked for again: supervisors bring things back (edge-cases.md#21)."""


@dataclass(frozen=True, slots=True)
class ConflictDeps:
    """The edges that carrying out may touch."""

    prompts: Prompts
    engine: Engine
    history: History
    screen: Screen
    remap: Callable[[Sequence[Case]], None] = field(repr=False)
    """Moves all bindings of these cases; what it takes is the verb's business (override file, leases)."""
    yes: bool = False
    wait_timeout: float = 120.0
    grace: float = GRACE
    settle: float = SETTLE


class HostInspector:
    """cases.ProcessInspector of this host."""

    def family_of(self, holder: HostProcess) -> Sequence[Process]:
        return processes.family_to_stop(holder.process, holder.others)

    def reloader_of(self, holder: HostProcess) -> Process | None:
        return processes.reloader_of(holder.process, holder.others)

    def is_protected(self, process: Process) -> bool:
        return stop_process.is_protected(process)

    def is_ours(self, process: Process) -> bool:
        return processes.is_ours(process)

    def unit_of(self, process: Process, ports: Collection[int]) -> SystemdUnit | None:
        unit = systemd.unit_of(process, ports)
        inside = (
            unit is not None and unit.main > 1 and processes.is_within_reach_of_ourselves(unit.main)
        )
        return (
            None if inside else unit
        )  # a service that we run under ourselves is not ours to stop (edge-cases.md#25)


def ask(deps: ConflictDeps) -> resolution.Choose:
    """The question to a person: who holds what, and what can be done; details come on demand, a production container's name is typed."""

    def choose(case: Case, offered: Sequence[Choice]) -> ResolutionAction:
        lines = [choice.line for choice in offered]
        details = len(lines) - 1
        lines.insert(details, "show details")
        while True:
            number = deps.prompts.select(
                f"{subject(case)}. What now?", lines, flags=flags_for(offered)
            )
            if number == details:
                for text in details_of(case):
                    deps.screen.note(text)
                continue
            choice = offered[number if number < details else number - 1]
            if not choice.type_first or deps.prompts.typed(
                f"Type {choice.type_first} to do it:", choice.type_first, flags=""
            ):
                return choice.action
            deps.screen.note("not what was asked for; nothing was changed")

    return choose


def subject(case: Case) -> str:
    """`python (pid 12) holds 5000, which darts-app wants`."""
    if isinstance(case.holder, NameTaken):
        return (
            f"container {case.holder.container.name} has the name that {case.holder.service} wants"
        )
    wanted = "; ".join(
        f"{conflict.binding.service} wants {report.published(conflict.binding)}"
        for conflict in case.conflicts
    )
    return f"{wanted}: {report.holder_line(case.holder)}"


def details_of(case: Case) -> list[str]:
    """Everything that is known about a holder, for somebody who is about to stop it."""
    holder = case.holder
    if isinstance(holder, HostProcess):
        others = (process for pid in holder.others if (process := processes.describe(pid)))
        shown = [
            line for process in (holder.process, *others) for line in _process_details(process)
        ]
        return [*shown, *([f"  kept running by {', '.join(case.unit.names)}"] if case.unit else [])]
    if container := cases.container_in(case):
        return _container_details(container)
    if isinstance(holder, DevLease) and holder.process:
        return [f"  {report.holder_line(holder)}", *_process_details(holder.process)]
    return [f"  {subject(case)}"]


def _process_details(process: Process) -> list[str]:
    return [
        f"  {report.process_line(process)}",
        f"    parents: {' < '.join(f'{name} ({pid})' for pid, name in process.parents) or '-'}",
        f"    children: {', '.join(map(str, process.children)) or '-'}",
        f"    listens on: {', '.join(map(str, processes.listening_on(process.pid))) or '-'}",
    ]


def _container_details(container: Container) -> list[str]:
    return [
        f"  {report.container_line(container)}",
        f"    id {container.id[:12]}, image {container.image}, {container.status or container.state}",
        f"    project: {container.project or '-'}, service: {container.service or '-'}, files: {', '.join(container.config_files) or '-'}",
        f"    publishes: {', '.join(map(str, container.published)) or '-'}",
    ]


_STOPS = frozenset(
    {
        ResolutionAction.STOP_PROCESS,
        ResolutionAction.STOP_SERVER,
        ResolutionAction.STOP_CONTAINER,
        ResolutionAction.STOP_UNIT,
    }
)


def flags_for(offered: Sequence[Choice]) -> str:
    """The flags that would do one of these without a question."""
    flags = []
    actions = {choice.action for choice in offered if not choice.type_first}
    if ResolutionAction.REMAP in actions:
        flags.append("--on-conflict remap")
    if ResolutionAction.WAIT in actions:
        flags.append("--on-conflict wait --wait-timeout 60")
    if actions & _STOPS:
        flags.append("--on-conflict stop --yes")
    flags += [
        f"--remove-container {choice.type_first} --yes"
        for choice in offered
        if choice.action is ResolutionAction.REMOVE_CONTAINER
    ]
    return "   or   ".join(flags) or "free the port, then try again"


def carry_out(plan: Sequence[ResolutionStep], deps: ConflictDeps) -> None:
    """Do the plan's steps in order. Raises where one cannot be done; what the earlier ones did is in the history."""
    for step in plan:
        match step.action:
            case ResolutionAction.STOP_SERVER:
                _stop_server(step.case, deps)
            case ResolutionAction.STOP_PROCESS:
                _stop_process(step.case, deps)
            case ResolutionAction.STOP_UNIT:
                _stop_unit(step.case, deps)
            case (
                ResolutionAction.STOP_CONTAINER
                | ResolutionAction.STOP_PROJECT
                | ResolutionAction.REMOVE_CONTAINER
            ):
                _stop_containers(step, deps)
            case ResolutionAction.WAIT:
                _wait(step.case, deps)
            case ResolutionAction.REMAP | ResolutionAction.ABORT:
                pass
    moved = [step.case for step in plan if step.action is ResolutionAction.REMAP]
    if moved:
        deps.remap(moved)


def _stop_server(case: Case, deps: ConflictDeps) -> None:
    """The very server that was seen: a port of the case may be another one's, and the checkout's next server may have the lease by now."""
    if not isinstance(case.holder, DevLease) or case.holder.process is None:
        return
    ancestors = {pid for pid, _ in case.holder.process.parents}
    ports = {endpoint.port for endpoint in _endpoints(case)}
    mine = [
        record
        for record in LeaseBook().held()
        if record.port in ports and record.confirmed and record.supervisor in ancestors
    ]
    if not mine:
        deps.screen.note(f"the dev server of {case.holder.checkout} has ended by itself")
    for record in mine:
        stop_server.stop("", port=record.port, leases=LeaseBook(), processes=processes)
        deps.screen.note(f"stopped the dev server of {record.checkout} on port {record.port}")
        deps.history.add(
            ResolutionAction.STOP_SERVER.value,
            f"{record.checkout} on port {record.port}",
            _why(case),
            pid=record.pid,
        )


def _stop_process(case: Case, deps: ConflictDeps) -> None:
    if not isinstance(case.holder, HostProcess):
        return
    endpoints, process = _endpoints(case), case.holder.process
    name, before, siblings = (
        report.process_line(process),
        stop_process.holding_pids(endpoints),
        stop_process.children_of_parent(process),
    )

    def record(pids: tuple[int, ...], released: bool) -> None:
        deps.history.add(
            ResolutionAction.STOP_PROCESS.value, name, _why(case), pids=pids, released=released
        )

    if not stop_process.stop(
        case.holder,
        endpoints,
        prompts=deps.prompts,
        screen=deps.screen,
        yes=deps.yes,
        grace=deps.grace,
        record=record,
    ):
        deps.screen.note(
            f"{process.name} (pid {process.pid}) has let go of the port by itself; nothing was stopped"
        )
        return
    deps.screen.note(f"stopped {name}")
    stop_process.look_again(endpoints, process, before, siblings, seconds=deps.settle)


def _stop_unit(case: Case, deps: ConflictDeps) -> None:
    if not isinstance(case.holder, HostProcess) or case.unit is None:
        return
    endpoints, process = _endpoints(case), case.holder.process
    holding, names = stop_process.holding_pids(endpoints), ", ".join(case.unit.names)
    if processes.birth(process.pid) != process.birth or not holding & {
        process.pid,
        *case.holder.others,
    }:
        deps.screen.note(
            f"{process.name} (pid {process.pid}) has let go of the port by itself; nothing was stopped"
        )
        return
    systemd.stop(case.unit)
    deps.screen.note(f"stopped {names}")
    deps.history.add(ResolutionAction.STOP_UNIT.value, names, _why(case), pid=process.pid)
    stop_process.look_again(
        endpoints,
        process,
        holding - {process.pid},
        stop_process.children_of_parent(process),
        seconds=deps.settle,
    )


def _stop_containers(step: ResolutionStep, deps: ConflictDeps) -> None:
    """Stop what is still in the way, looked for again by its identity; remove it where that is what was agreed to."""
    engine = deps.engine.control()
    if engine is None:
        raise DartsctlError(
            "containers of a remote engine are not stopped from here", hint="docker stop NAME"
        )
    seen = cases.container_of(step.case)
    wanted = [container for container in engine.containers() if _is_wanted(container, seen, step)]
    if not wanted:
        deps.screen.note(f"container {seen.name} is not in the way any more; nothing was stopped")
    for container in wanted:
        deps.screen.progress(f"stopping container {container.name}")
        engine.stop_container(container.id)
        if step.action is ResolutionAction.REMOVE_CONTAINER:
            engine.remove_container(container.id)
        done = "removed" if step.action is ResolutionAction.REMOVE_CONTAINER else "stopped"
        deps.screen.note(f"{done} container {container.name}")
        deps.history.add(
            step.action.value,
            container.name,
            _why(step.case),
            id=container.id[:12],
            project=container.project,
        )


def _is_wanted(container: Container, seen: Container, step: ResolutionStep) -> bool:
    """Whether this is, now, what was to be stopped: for a project whatever runs of it, else the very container that was seen."""
    runs = container.state in ("running", "paused", "restarting")  # a crash loop would be back
    if step.action is ResolutionAction.STOP_PROJECT:
        return container.project == seen.project and runs
    if container.id != seen.id:
        return False
    if step.action is ResolutionAction.REMOVE_CONTAINER:
        return container.name == seen.name
    wanted = _endpoints(step.case)
    publishes = any(own.excludes(endpoint) for own in container.published for endpoint in wanted)
    return runs and (publishes or container.network_mode == "host")


def _wait(case: Case, deps: ConflictDeps) -> None:
    """Until nothing is in the way, or the deadline; who still holds it is shown. Raises TimedOut."""
    until = time.monotonic() + deps.wait_timeout
    tell = 0.0
    while not all(_can_be_made(conflict) for conflict in case.conflicts) or _is_published(
        case, deps
    ):
        now = time.monotonic()
        if now >= until:
            raise TimedOut(
                f"{subject(case)}; still so after {deps.wait_timeout:.0f} s",
                hint="wait longer: --wait-timeout SECONDS",
            )
        if now >= tell:
            deps.screen.progress(
                f"waiting for {_wanted(case)} ({until - now:.0f} s left): held by {_holders_now(case)}"
            )
            tell = now + 5
        time.sleep(0.2)


def _can_be_made(conflict: Conflict) -> bool:
    """Whether one number of the binding is free on all its addresses, and all numbers of a block."""
    binding = conflict.binding
    enough = all if binding.is_block else any
    return enough(
        not any(_is_busy(endpoint) for endpoint in binding.endpoints(port))
        for port in binding.numbers
    )


def _is_busy(endpoint: Endpoint) -> bool:
    """A port that we may not probe is asked for in the table: not to know must never read as free (edge-cases.md#17)."""
    host = Host()
    answer = host.probe(endpoint, udp_reuse_address=False)
    if answer is Probe.FORBIDDEN:
        return any(
            row.surely_blocks and row.overlaps(endpoint) for row in host.listeners(endpoint.port)
        )
    return answer is Probe.IN_USE


def _is_published(case: Case, deps: ConflictDeps) -> bool:
    """Whether the engine's own book still has the container's ports: some engines hold them without a socket (edge-cases.md#30)."""
    container = cases.container_in(case)
    if container is None:
        return False
    held = [
        endpoint
        for one in deps.engine.containers()
        if one.id == container.id and one.holds_ports
        for endpoint in one.published
    ]
    return any(mine.excludes(wanted) for mine in held for wanted in _endpoints(case))


def _holders_now(case: Case) -> str:
    pids = {pid for row in stop_process.rows_on(_endpoints(case)) for pid in row.pids}
    found = [process for pid in sorted(pids) if (process := processes.describe(pid))]
    return (
        ", ".join(f"{process.name} (pid {process.pid})" for process in found)
        or "somebody who is not visible"
    )


def _wanted(case: Case) -> str:
    return ", ".join(
        dict.fromkeys(report.published(conflict.binding) for conflict in case.conflicts)
    )


def _endpoints(case: Case) -> tuple[Endpoint, ...]:
    return tuple(
        dict.fromkeys(
            endpoint
            for conflict in case.conflicts
            for endpoint in conflict.endpoints
            if conflict.reason is not Reason.SAME_STACK
        )
    )


def _why(case: Case) -> str:
    return (
        f"in the way of {', '.join(case.services)}"
        if case.conflicts
        else "had a container name that was wanted"
    )
