"""Carry out what was decided about conflicts, one step at a time, each looked at again before and after (DESIGN 4).

Never: a forwarder, the engine, pid 1, ourselves, an ancestor; never a process that is not the very one that was seen, or that has let go of
the port meanwhile. A container is stopped through the engine, never its proxy killed; a volume is never removed.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from dartsctl import resolution
from dartsctl.availability import Reason
from dartsctl.bindings import Endpoint
from dartsctl.collisions import NameTaken
from dartsctl.commands import report, stopping
from dartsctl.commands.host import Host
from dartsctl.commands.preflight import EngineClient
from dartsctl.edges import processes, signals, systemd
from dartsctl.edges.engine import EngineApi
from dartsctl.edges.history import History
from dartsctl.edges.leases import LeaseBook
from dartsctl.edges.output import Screen
from dartsctl.edges.prompts import Prompts
from dartsctl.errors import DartsctlError, ExitCode, Refused, TimedOut
from dartsctl.holders import HostProcess
from dartsctl.process import Process
from dartsctl.resolution import Action, Case, Choice, Step

GRACE = 10.0
"""Seconds between SIGTERM and the question about SIGKILL."""
SETTLE = 2.0
"""Seconds after which a stopped process is looked for again: supervisors bring things back (EDGE 21)."""


@dataclass(frozen=True, slots=True)
class Means:
    """The edges that carrying out may touch."""

    prompts: Prompts
    engine: EngineClient
    history: History
    screen: Screen
    remap: Callable[[Sequence[Case]], None] = field(repr=False)
    """Moves all bindings of these cases; what it takes is the verb's business (override file, leases)."""
    yes: bool = False
    wait_timeout: float = 120.0


class HostFacts:
    """resolution.Facts of this host."""

    def is_protected(self, process: Process) -> bool:
        return process.pid <= 1 or processes.is_forwarder(process) or processes.is_within_reach_of_ourselves(process.pid)

    def is_ours(self, process: Process) -> bool:
        return processes.is_ours(process)

    def unit_of(self, process: Process) -> str:
        return systemd.unit_of(process)

    def is_reloaded(self, process: Process) -> bool:
        return len(processes.family_to_stop(process, ())) > 1


def ask(means: Means) -> resolution.Choose:
    """The question to a person: who holds what, and what can be done; details come on demand, a production container's name is typed."""

    def choose(case: Case, offered: Sequence[Choice]) -> Action:
        lines = [choice.line for choice in offered]
        details = len(lines) - 1
        lines.insert(details, "show details")
        while True:
            number = means.prompts.select(f"{subject(case)}. What now?", lines, flags=flags_for(offered))
            if number == details:
                for text in details_of(case):
                    means.screen.note(text)
                continue
            choice = offered[number if number < details else number - 1]
            if not choice.type_first or means.prompts.typed(f"Production. Type {choice.type_first} to do it:", choice.type_first, flags="--yes"):
                return choice.action
            means.screen.note("not what was asked for; nothing was changed")

    return choose


def subject(case: Case) -> str:
    """`python (pid 12) holds 5000, which darts-app wants`."""
    if isinstance(case.holder, NameTaken):
        return f"container {case.holder.container.name} has the name that {case.holder.service} wants"
    wanted = "; ".join(f"{conflict.binding.service} wants {report.published(conflict.binding)}" for conflict in case.conflicts)
    return f"{wanted}: {report.holder_line(case.holder)}"


def details_of(case: Case) -> list[str]:
    """Everything that is known about a holder, for somebody who is about to stop it."""
    if isinstance(case.holder, HostProcess):
        process = case.holder.process
        chain = " < ".join(f"{name} ({pid})" for pid, name in process.parents) or "-"
        return [
            f"  {report.process_line(process)}",
            f"  parents: {chain}",
            f"  children: {', '.join(map(str, process.children)) or '-'}",
            f"  listens on: {', '.join(map(str, processes.listening_on(process.pid))) or '-'}",
        ]
    document = report.holder_document(case.holder) if not isinstance(case.holder, NameTaken) else {"container": case.holder.container.name}
    return [f"  {name}: {value}" for name, value in document.items() if value]


def flags_for(offered: Sequence[Choice]) -> str:
    """The flags that would do one of these without a question."""
    flags = []
    actions = {choice.action for choice in offered}
    if Action.REMAP in actions:
        flags.append("--on-conflict remap")
    if Action.WAIT in actions:
        flags.append("--on-conflict wait --wait-timeout 60")
    if actions & {Action.STOP_PROCESS, Action.STOP_SERVER, Action.STOP_CONTAINER, Action.STOP_UNIT, Action.REMOVE_CONTAINER}:
        flags.append("--on-conflict stop --yes")
    return "   or   ".join(flags) or "free the port, then try again"


def carry_out(plan: Sequence[Step], means: Means) -> None:
    """Do the plan's steps in order. Raises where one cannot be done; what the earlier ones did is in the history."""
    for step in plan:
        match step.action:
            case Action.STOP_SERVER:
                _stop_server(step.case, means)
            case Action.STOP_PROCESS:
                _stop_process(step.case, means)
            case Action.STOP_UNIT:
                _stop_unit(step.case, means)
            case Action.STOP_CONTAINER | Action.STOP_PROJECT | Action.REMOVE_CONTAINER:
                _stop_containers(step, means)
            case Action.WAIT:
                _wait(step.case, means)
            case Action.REMAP | Action.ABORT:
                pass
    moved = [step.case for step in plan if step.action is Action.REMAP]
    if moved:
        means.remap(moved)


def _stop_server(case: Case, means: Means) -> None:
    for port in sorted({endpoint.port for conflict in case.conflicts for endpoint in conflict.endpoints}):
        stopped = stopping.stop("", port=port, leases=LeaseBook(), processes=processes)
        means.screen.note(f"stopped the dev server of {stopped.record.checkout} on port {port}")
        means.history.add("stop-server", f"{stopped.record.checkout} on port {port}", _why(case), pid=stopped.record.pid)


def _stop_process(case: Case, means: Means) -> None:
    """SIGTERM, a visible wait, SIGKILL only after a second yes; a reloader before its child, so that nothing is started again."""
    if not isinstance(case.holder, HostProcess):
        return
    facts, endpoints = HostFacts(), _endpoints(case)
    victims = processes.family_to_stop(case.holder.process, case.holder.others)
    if protected := next((victim for victim in victims if facts.is_protected(victim)), None):
        raise Refused(f"{protected.name} (pid {protected.pid}) is never stopped by dartsctl", hint=f"ps -fp {protected.pid}")
    _signal(victims, signal.SIGTERM, endpoints)
    if not _end_within(victims, GRACE, means):
        pids = ", ".join(str(victim.pid) for victim in victims if processes.is_alive(victim))
        question = f"pid {pids} did not end within {GRACE:.0f} s. Kill it (SIGKILL)?"
        if not means.yes and not means.prompts.confirm(question, flags="--yes"):
            raise DartsctlError(f"pid {pids} was asked to end, and still runs", hint=f"ps -fp {pids}", code=ExitCode.ANSWER_NEEDED)
        _signal(victims, signal.SIGKILL, endpoints)
        if not _end_within(victims, 5.0, means):
            raise DartsctlError(f"pid {pids} does not end", hint=f"ps -fp {pids}")
    name = report.process_line(case.holder.process)
    means.screen.note(f"stopped {name}")
    means.history.add("stop-process", name, _why(case), pids=[victim.pid for victim in victims])
    _look_again(endpoints, case.holder.process)


def _signal(victims: Sequence[Process], number: signal.Signals, endpoints: Sequence[Endpoint]) -> None:
    """To each of them that is still the one that was seen, as long as one of them still holds the port.

    The first refusal ends it: when nobody holds the port any more, there is nothing left to stop.
    """
    for victim in victims:
        signals.send(victim, number, birth_of=processes.birth, still_wanted=lambda: _still_holds(endpoints, victims))


def _still_holds(endpoints: Sequence[Endpoint], victims: Sequence[Process]) -> bool:
    """Whether one of them still has a socket in the way: what has let go of the port is no longer ours to stop."""
    host = Host()
    pids = {victim.pid for victim in victims}
    return any(row.overlaps(endpoint) and pids & set(row.pids) for endpoint in endpoints for row in host.listeners(endpoint.port))


def _end_within(victims: Sequence[Process], seconds: float, means: Means) -> bool:
    until = time.monotonic() + seconds
    told = -1
    while left := [victim for victim in victims if processes.is_alive(victim)]:
        remaining = int(until - time.monotonic())
        if time.monotonic() >= until:
            return False
        if remaining != told and remaining < seconds - 1:
            means.screen.progress(f"waiting for pid {', '.join(str(victim.pid) for victim in left)} to end: {remaining} s")
            told = remaining
        time.sleep(0.05)
    return True


def _look_again(endpoints: Sequence[Endpoint], stopped: Process) -> None:
    """Whether somebody brings it back within two seconds. Raises with who did."""
    until = time.monotonic() + SETTLE
    while time.monotonic() < until:
        host = Host()
        for endpoint in endpoints:
            for row in host.listeners(endpoint.port):
                back = host.describe(row.pids[0]) if row.pids and row.surely_blocks and row.overlaps(endpoint) else None
                if back and back.birth != stopped.birth and back.command == stopped.command:
                    keeper = f"{back.parents[0][1]} (pid {back.parents[0][0]})" if back.parents else "somebody"
                    raise DartsctlError(
                        f"{stopped.name} was stopped and is back on port {endpoint.port} (pid {back.pid}): {keeper} keeps it running",
                        hint=f"stop {keeper.split(maxsplit=1)[0]} instead, then try again",
                        code=ExitCode.CONFLICT,
                    )
        time.sleep(0.1)


def _stop_unit(case: Case, means: Means) -> None:
    if not isinstance(case.holder, HostProcess):
        return
    stopped = ", ".join(systemd.stop(case.unit))
    means.screen.note(f"stopped {stopped}")
    means.history.add("stop-unit", stopped, _why(case), pid=case.holder.process.pid)


def _stop_containers(step: Step, means: Means) -> None:
    engine = means.engine
    if not isinstance(engine, EngineApi):
        raise DartsctlError("containers of a remote engine are not stopped from here", hint="docker stop NAME")
    wanted = [resolution.container_of(step.case)]
    if step.action is Action.STOP_PROJECT:
        wanted = [one for one in engine.containers() if one.project == wanted[0].project and one.holds_ports]
    for one in wanted:
        means.screen.progress(f"stopping container {one.name}")
        if step.action is Action.REMOVE_CONTAINER:
            engine.remove_container(one.id)
        else:
            engine.stop_container(one.id)
        means.screen.note(f"{'removed' if step.action is Action.REMOVE_CONTAINER else 'stopped'} container {one.name}")
        means.history.add(step.action.value, one.name, _why(step.case), id=one.id[:12], project=one.project)


def _wait(case: Case, means: Means) -> None:
    """Until nothing is in the way, or the deadline; who still holds it is shown."""
    endpoints = _endpoints(case)
    until = time.monotonic() + means.wait_timeout
    told = 0.0
    while any(_is_busy(endpoint) for endpoint in endpoints):
        now = time.monotonic()
        if now >= until:
            raise TimedOut(f"{subject(case)}; still so after {means.wait_timeout:.0f} s", hint="wait longer: --wait-timeout SECONDS")
        if now - told >= 5:
            means.screen.progress(f"waiting for {', '.join(map(str, endpoints))} ({until - now:.0f} s left): {subject(case)}")
            told = now
        time.sleep(0.2)


def _is_busy(endpoint: Endpoint) -> bool:
    from dartsctl.listeners import Probe

    return Host().probe(endpoint, udp_reuse_address=False) is Probe.IN_USE


def _endpoints(case: Case) -> tuple[Endpoint, ...]:
    return tuple(
        dict.fromkeys(endpoint for conflict in case.conflicts for endpoint in conflict.endpoints if conflict.reason is not Reason.SAME_STACK)
    )


def _why(case: Case) -> str:
    return f"in the way of {', '.join(case.services)}" if case.conflicts else "had a container name that was wanted"
