"""The step that ends a process which is in the way: asked first, killed only after a second yes, and looked for again (DESIGN 4).

Never: a forwarder, the engine, pid 1, ourselves, an ancestor, what another engine's container runs; never a process that is not the very one
that was seen, or that has let go of the port meanwhile.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial

from dartsctl.edges.host import processes, signals
from dartsctl.edges.screen.output import Screen
from dartsctl.edges.screen.prompts import Prompts
from dartsctl.errors import DartsctlError, ExitCode, Refused
from dartsctl.ports.holders import HostProcess
from dartsctl.ports.listeners import Listener
from dartsctl.ports.process import Process
from dartsctl.stack.bindings import Endpoint
from dartsctl.workflows.host import Host

AFTER_KILL = 5.0
"""Seconds within which a killed process has gone, unless the kernel keeps it (uninterruptible sleep)."""


def is_protected(process: Process) -> bool:
    """Whether nothing may make us signal it. What runs in a container that the engine does not list is another engine's (edge-cases.md#42)."""
    if (
        process.pid <= 1
        or processes.is_forwarder(process)
        or processes.is_self_or_ancestor(process.pid)
    ):
        return True
    container = processes.container_id_of(process.pid)
    return container is not None and container != processes.container_id_of(os.getpid())


def stop(
    holder: HostProcess,
    endpoints: Sequence[Endpoint],
    *,
    prompts: Prompts,
    screen: Screen,
    yes: bool,
    grace: float,
    record: Callable[[tuple[int, ...], bool], None],
) -> bool:
    """SIGTERM, `grace` seconds that can be seen to pass, SIGKILL only after a second yes (or `yes`). False: nothing had to be signalled.

    `record` gets the pids that were signalled and whether they let go, whatever happens. Raises Refused for what is never stopped, DartsctlError for
    another user's (before any signal), for what does not end, and code 7 where the second yes is not given.
    """
    victims = processes.family_to_stop(holder.process, holder.others)
    _refuse(victims)
    shared = {holder.process.pid, *holder.others}
    signalled = _signal(victims, shared, signal.SIGTERM, endpoints)
    if not signalled:
        return False
    released = False
    try:
        released = _released(victims, shared, endpoints, grace, screen)
        if not released:
            _kill(victims, shared, endpoints, grace, prompts=prompts, yes=yes)
            released = _released(victims, shared, endpoints, AFTER_KILL, screen)
    finally:
        record(signalled, released)
    if not released:
        pids = _pids(victims)
        raise DartsctlError(f"pid {pids} was killed and does not end", hint=f"ps -fp {pids}")
    return True


def _refuse(victims: Sequence[Process]) -> None:
    for victim in victims:
        if is_protected(victim):
            raise Refused(
                f"{victim.name} (pid {victim.pid}) is never stopped by dartsctl",
                hint=f"see what it belongs to: ps -fp {victim.pid}",
            )
    if any(not processes.is_ours(victim) for victim in victims):
        pids = " ".join(str(victim.pid) for victim in victims)
        raise DartsctlError(
            f"{victims[0].name} (pid {pids}) is another user's; nothing was done",
            hint=f"sudo kill {pids}",
        )


def _signal(
    victims: Sequence[Process],
    shared: Collection[int],
    number: signal.Signals,
    endpoints: Sequence[Endpoint],
) -> tuple[int, ...]:
    """To each of them that is still the one that was seen and still holds the port; a reloader as long as one of them does. The pids signalled."""

    def wanted(victim: Process) -> bool:
        holding = holding_pids(endpoints)
        return (
            victim.pid in holding
            if victim.pid in shared
            else bool(holding & set(shared)) or number is signal.SIGKILL
        )

    return tuple(
        victim.pid
        for victim in victims
        if signals.send(
            victim, number, birth_of=processes.birth, still_wanted=partial(wanted, victim)
        )
    )


def holding_pids(endpoints: Sequence[Endpoint]) -> set[int]:
    """Who listens, or is bound, in the way of one of these now. A connection that uses the number is no reason for a signal."""
    return {pid for row in rows_on(endpoints) if not row.is_connection for pid in row.pids}


def rows_on(endpoints: Sequence[Endpoint]) -> list[Listener]:
    """The sockets in the way of one of these now, in whatever state."""
    host = Host()
    host.expect({endpoint.port for endpoint in endpoints})
    return [
        row
        for endpoint in endpoints
        for row in host.listeners(endpoint.port)
        if row.overlaps(endpoint)
    ]


def _kill(
    victims: Sequence[Process],
    shared: Collection[int],
    endpoints: Sequence[Endpoint],
    grace: float,
    *,
    prompts: Prompts,
    yes: bool,
) -> None:
    pids = _pids(victims)
    if not yes and not prompts.confirm(
        f"pid {pids} did not end within {grace:.0f} s. Kill it (SIGKILL)?", flags="add --yes"
    ):
        raise DartsctlError(
            f"pid {pids} was asked to end, and still runs",
            hint=f"ps -fp {pids}",
            code=ExitCode.ANSWER_NEEDED,
        )
    _signal(victims, shared, signal.SIGKILL, endpoints)


def _pids(victims: Sequence[Process]) -> str:
    return ",".join(str(victim.pid) for victim in victims if processes.is_alive(victim))


def _released(
    victims: Sequence[Process],
    shared: Collection[int],
    endpoints: Sequence[Endpoint],
    seconds: float,
    screen: Screen,
) -> bool:
    """Whether they have ended, or at least let go of the port, within these seconds; the time that is left is shown each second."""
    until = time.monotonic() + seconds
    told = int(seconds)
    look = 0.0
    while left := [victim for victim in victims if processes.is_alive(victim)]:
        now = time.monotonic()
        if now >= look:  # a walk of all open files, so not each time
            if all(victim.pid in shared for victim in left) and not holding_pids(endpoints) & {
                victim.pid for victim in left
            }:
                return True
            look = now + 0.25
        if now >= until:
            return False
        if int(until - now) < told:
            told = int(until - now)
            screen.progress(
                f"waiting for pid {', '.join(str(victim.pid) for victim in left)} to end: {told + 1} s"
            )
        time.sleep(0.05)
    return True


def children_of_parent(process: Process) -> set[int]:
    """The children of `process`' parent now: one more of them later, with the same command, is a restart."""
    parent = (
        processes.describe(process.parents[0][0])
        if process.parents and process.parents[0][0] > 1
        else None
    )
    return set(parent.children) if parent else set()


def look_again(
    endpoints: Sequence[Endpoint],
    stopped: Process,
    before: Collection[int],
    siblings: Collection[int],
    *,
    seconds: float,
) -> None:
    """Whether somebody brings it back within `seconds` (edge-cases.md#21). Raises DartsctlError (3) with who did.

    `before`: who was in the way before it was stopped, others of whom may still be; `siblings`: `children_of_parent` from then.
    """
    until = time.monotonic() + seconds
    while True:
        for endpoint in endpoints:
            for row in Host().listeners(endpoint.port):
                is_back = row.surely_blocks and not row.is_connection and row.overlaps(endpoint)
                for pid in set(row.pids) - set(before) if is_back else ():
                    if newcomer := processes.describe(pid):
                        raise _is_back(newcomer, stopped, endpoint)
        for pid in children_of_parent(stopped) - set(siblings):
            again = processes.describe(pid)
            if (
                again
                and again.command == stopped.command
                and again.birth != stopped.birth
                and again.status != "zombie"
            ):
                raise _is_back(again, stopped, endpoints[0])
        if time.monotonic() >= until:
            return
        time.sleep(0.1)


def _is_back(newcomer: Process, stopped: Process, endpoint: Endpoint) -> DartsctlError:
    pid, name = newcomer.parents[0] if newcomer.parents else (0, "somebody")
    if newcomer.command == stopped.command:
        text = f"{stopped.name} was stopped and is back for port {endpoint.port} (pid {newcomer.pid}): {name} (pid {pid}) keeps it running"
        hint = (
            f"find its service and stop that: systemctl status {newcomer.pid}"
            if pid <= 1
            else f"stop {name} first; look at it: ps -fp {pid}"
        )
    else:
        text = f"{stopped.name} was stopped, and {newcomer.name} (pid {newcomer.pid}, started by {name}) has port {endpoint.port} now"
        hint = f"look at it, then try again: ps -fp {newcomer.pid}"
    return DartsctlError(text, hint=hint, code=ExitCode.CONFLICT)
