"""Carry out a plan, one step at a time. Each holder is looked at again before and after.

`stop_process.py` ends a process. A container is stopped through the engine; its proxy process is
never killed, and no volume is removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from dartsctl.edges.host import processes, systemd
from dartsctl.errors import Advice, DartsctlError, TimedOut
from dartsctl.ports.availability import Reason
from dartsctl.ports.cases import Case, container_in, container_of
from dartsctl.ports.holders import DevLease, HostProcess
from dartsctl.ports.holders.kinds import ResolutionAction, SystemdUnit
from dartsctl.ports.holders.wording import process_line
from dartsctl.ports.listeners import Probe
from dartsctl.text.phrases import shell_command
from dartsctl.workflows.preflight import report
from dartsctl.workflows.serve import stop as serve_stop
from dartsctl.workflows.up import stop_process
from dartsctl.workflows.up.ask import subject

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from dartsctl.edges.engine.protocol import EngineControl
    from dartsctl.ports.process import Process
    from dartsctl.ports.resolution import ResolutionStep
    from dartsctl.stack.bindings import Endpoint, PortBinding
    from dartsctl.stack.containers import Container
    from dartsctl.workflows.up.conflict_deps import ConflictDeps


class HostInspector:
    """The `ProcessInspector` of this host."""

    def family_of(self, holder: HostProcess) -> Sequence[Process]:
        return processes.family_to_stop(holder.process, holder.others)

    def reloader_of(self, holder: HostProcess) -> Process | None:
        return processes.reloader_of(holder.process, holder.others)

    def is_protected(self, process: Process) -> bool:
        return stop_process.is_protected(process)

    def is_ours(self, process: Process) -> bool:
        return processes.is_ours(process)

    def unit_of(self, process: Process, ports: Collection[int]) -> SystemdUnit | None:
        """A unit that dartsctl itself runs in is not ours to stop (edge-cases.md#25)."""
        unit = systemd.unit_of(process, ports)
        if unit and unit.main > 1 and processes.is_self_or_ancestor(unit.main):
            return None
        return unit


def carry_out(plan: Sequence[ResolutionStep], deps: ConflictDeps) -> None:
    """Do the steps of a plan in order; bindings move last and together.

    Raises DartsctlError where a step cannot be done. The history names what earlier steps did.
    """
    moved = []
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
            case ResolutionAction.REMAP:
                moved.append(step.case)
            case ResolutionAction.ABORT:
                pass
            case _:
                assert_never(step.action)
    if moved:
        deps.remap(moved)


def _stop_server(case: Case, deps: ConflictDeps) -> None:
    """Stop the very server that was seen.

    One port of the case may belong to another server, and the checkout's next server may have the
    lease by now.
    """
    if not isinstance(case.holder, DevLease) or case.holder.process is None:
        return
    ancestors = dict(case.holder.process.parents)
    records = [
        record
        for record in deps.leases.held()
        if record.port in case.ports and record.confirmed and record.supervisor in ancestors
    ]
    if not records:
        deps.screen.note(f"the dev server of {case.holder.checkout} has ended by itself")
    for record in records:
        serve_stop.stop(record, leases=deps.leases)
        what = f"{record.checkout} on port {record.port}"
        deps.screen.note(f"stopped the dev server of {what}")
        action = ResolutionAction.STOP_SERVER.value
        deps.history.add(action, what, _why(case), pid=record.pid)


def _stop_process(case: Case, deps: ConflictDeps) -> None:
    if not isinstance(case.holder, HostProcess):
        return
    endpoints, process = _endpoints(case), case.holder.process
    name = process_line(process)
    before = stop_process.holding_pids(endpoints, deps.host)
    siblings = stop_process.children_of_parent(process)

    def record(pids: tuple[int, ...], released: bool) -> None:  # noqa: FBT001 - a callback
        action = ResolutionAction.STOP_PROCESS.value
        deps.history.add(action, name, _why(case), pids=pids, released=released)

    if not stop_process.stop(case.holder, endpoints, record=record, deps=deps):
        _note_released(process, deps)
        return
    deps.screen.note(f"stopped {name}")
    stop_process.look_again(endpoints, process, before=before, siblings=siblings, deps=deps)


def _stop_unit(case: Case, deps: ConflictDeps) -> None:
    if not isinstance(case.holder, HostProcess) or case.unit is None:
        return
    endpoints, process = _endpoints(case), case.holder.process
    holding, names = stop_process.holding_pids(endpoints, deps.host), ", ".join(case.unit.names)
    is_same_process = processes.birth(process.pid) == process.birth
    if not is_same_process or not holding & set(case.holder.pids):
        _note_released(process, deps)
        return
    systemd.stop(case.unit)
    deps.screen.note(f"stopped {names}")
    deps.history.add(ResolutionAction.STOP_UNIT.value, names, _why(case), pid=process.pid)
    stop_process.look_again(
        endpoints,
        process,
        before=holding - {process.pid},
        siblings=stop_process.children_of_parent(process),
        deps=deps,
    )


def _note_released(process: Process, deps: ConflictDeps) -> None:
    who = f"{process.name} (pid {process.pid})"
    deps.screen.note(f"{who} has released the port by itself; nothing was stopped")


def _stop_containers(step: ResolutionStep, deps: ConflictDeps) -> None:
    """Stop what is still in the way, found again by its identity; remove it where agreed."""
    seen = container_of(step.case)
    engine = deps.engine.control()
    if engine is None:
        raise DartsctlError(
            "cannot stop containers of a remote engine from this host",
            hint=shell_command("docker", "stop", seen.name),
        )
    wanted = [container for container in engine.containers() if _is_wanted(container, seen, step)]
    if not wanted:
        deps.screen.note(f"container {seen.name} is not in the way any more; nothing was stopped")
    for container in wanted:
        _stop_container(container, engine, step, deps)


def _stop_container(
    container: Container, engine: EngineControl, step: ResolutionStep, deps: ConflictDeps
) -> None:
    done = "stopped"
    deps.screen.progress(f"stopping container {container.name}")
    engine.stop_container(container.id)
    if step.action is ResolutionAction.REMOVE_CONTAINER:
        engine.remove_container(container.id)
        done = "removed"
    deps.screen.note(f"{done} container {container.name}")
    deps.history.add(
        step.action.value,
        container.name,
        _why(step.case),
        id=container.short_id,
        project=container.project,
    )


def _is_wanted(container: Container, seen: Container, step: ResolutionStep) -> bool:
    """Whether a container is, now, what was to be stopped.

    For a project that is every container of it that runs, else the very container that was seen.
    """
    runs = container.state in ("running", "paused", "restarting")  # a crash loop would be back
    if step.action is ResolutionAction.STOP_PROJECT:
        return container.project == seen.project and runs
    if container.id != seen.id:
        return False
    if step.action is ResolutionAction.REMOVE_CONTAINER:
        return container.name == seen.name
    if not runs:
        return False
    return container.network_mode == "host" or _publishes(container, _endpoints(step.case))


def _publishes(container: Container, endpoints: Sequence[Endpoint]) -> bool:
    """Whether the engine lists one of the endpoints, or one that excludes it, for a container."""
    return any(own.excludes(wanted) for own in container.published for wanted in endpoints)


def _wait(case: Case, deps: ConflictDeps) -> None:
    """Wait until nothing is in the way, and show who still holds it. Raises TimedOut."""
    until = deps.monotonic() + deps.wait_timeout
    next_note = 0.0
    while _is_in_the_way(case, deps):
        now = deps.monotonic()
        if now >= until:
            raise TimedOut(
                f"{subject(case)}; still held after {deps.wait_timeout:.0f} s",
                hint=Advice("wait longer: --wait-timeout SECONDS"),
            )
        if now >= next_note:
            left = f"{until - now:.0f} s left"
            deps.screen.progress(
                f"waiting for {_wanted(case)} ({left}): held by {_holders_now(case, deps)}"
            )
            next_note = now + 5
        deps.sleep(0.2)


def _is_in_the_way(case: Case, deps: ConflictDeps) -> bool:
    for binding in case.bindings:
        if not _can_be_created(binding, deps):
            return True
    return _is_published(case, deps)


def _can_be_created(binding: PortBinding, deps: ConflictDeps) -> bool:
    """Whether one number of a binding, or all numbers of a block, are free on all addresses."""
    enough = all if binding.is_block else any
    return enough(_is_free(binding, port, deps) for port in binding.numbers)


def _is_free(binding: PortBinding, port: int, deps: ConflictDeps) -> bool:
    return not any(_is_busy(endpoint, deps) for endpoint in binding.endpoints(port))


def _is_busy(endpoint: Endpoint, deps: ConflictDeps) -> bool:
    """Where this user may not probe a port, the socket table is asked.

    An unknown answer must never read as free (edge-cases.md#17).
    """
    host = deps.host()
    answer = host.probe(endpoint, udp_reuse_address=False)
    if answer is not Probe.FORBIDDEN:
        return answer is Probe.IN_USE
    return any(row.overlaps(endpoint) for row in host.blockers(endpoint.port))


def _is_published(case: Case, deps: ConflictDeps) -> bool:
    """Whether the engine still lists the container's ports.

    Some engines hold them without a socket (edge-cases.md#30).
    """
    seen = container_in(case)
    if seen is None:
        return False
    for container in deps.engine.containers():
        if container.id == seen.id and container.holds_ports:
            return _publishes(container, _endpoints(case))
    return False


def _holders_now(case: Case, deps: ConflictDeps) -> str:
    pids: set[int] = set()
    for row in stop_process.rows_on(_endpoints(case), deps.host):
        pids.update(row.pids)
    described = map(processes.describe, sorted(pids))
    names = [f"{process.name} (pid {process.pid})" for process in described if process]
    return ", ".join(names) or "a process that is not visible"


def _wanted(case: Case) -> str:
    return ", ".join(dict.fromkeys(map(report.published, case.bindings)))


def _endpoints(case: Case) -> tuple[Endpoint, ...]:
    """The endpoints that somebody outside of the stack holds."""
    endpoints: dict[Endpoint, None] = {}
    for conflict in case.conflicts:
        if conflict.reason is not Reason.SAME_STACK:
            endpoints |= dict.fromkeys(conflict.endpoints)
    return tuple(endpoints)


def _why(case: Case) -> str:
    """The reason, for the history."""
    if case.conflicts:
        return f"in the way of {', '.join(case.services)}"
    return "had a container name that was wanted"
