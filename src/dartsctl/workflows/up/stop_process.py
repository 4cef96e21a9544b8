"""Stop a process that holds a port: SIGTERM, SIGKILL only after a second yes, and a last look.

Never stopped: a forwarder, the engine, pid 1, dartsctl itself, its ancestors, and what runs in
another engine's container. Never signalled: a process that is not the very one that was seen, or
that has released the port meanwhile.
"""

from __future__ import annotations

import os
import signal
from functools import partial
from typing import TYPE_CHECKING

from dartsctl.edges.host import processes, signals
from dartsctl.errors import Advice, DartsctlError, ExitCode, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from dartsctl.ports.holders import HostProcess
    from dartsctl.ports.listeners import Listener
    from dartsctl.ports.process import Process
    from dartsctl.stack.bindings import Endpoint
    from dartsctl.workflows.host import Host
    from dartsctl.workflows.up.conflict_deps import ConflictDeps

AFTER_KILL = 5.0
"""Seconds within which a killed process has gone, unless the kernel keeps it (uninterruptible
sleep)."""

_LOOK_EVERY = 0.25  # seconds: a look walks all open files


def is_protected(process: Process) -> bool:
    """Return whether a process is never signalled.

    A process in a container that the engine does not list is another engine's (edge-cases.md#42).
    """
    if process.pid <= 1 or processes.is_forwarder(process):
        return True
    if processes.is_self_or_ancestor(process.pid):
        return True
    container = processes.container_id_of(process.pid)
    return container is not None and container != processes.container_id_of(os.getpid())


def stop(
    holder: HostProcess,
    endpoints: Sequence[Endpoint],
    *,
    record: Callable[[tuple[int, ...], bool], None],
    deps: ConflictDeps,
) -> bool:
    """Stop a process and its family. Return False where nothing had to be signalled.

    `record` gets the pids that were signalled and whether they released the port, whatever happens.

    Raises:
        Refused: a process that is never stopped.
        DartsctlError: another user's process (before any signal), a process that does not end, and
            with code 7 where the second yes is not given.
    """
    victims = processes.family_to_stop(holder.process, holder.others)
    _refuse(victims)
    stopping = _Stopping(victims, frozenset(holder.pids), endpoints, deps)
    signalled = stopping.send(signal.SIGTERM)
    if not signalled:
        return False
    released = False
    try:
        released = stopping.wait(deps.grace)
        if not released:
            stopping.kill()
            released = stopping.wait(AFTER_KILL)
    finally:
        record(signalled, released)
    if not released:
        pids = stopping.living_pids
        raise DartsctlError(f"pid {pids} was killed and does not end", hint=f"ps -fp {pids}")
    return True


def _refuse(victims: Sequence[Process]) -> None:
    for victim in victims:
        if is_protected(victim):
            raise Refused(
                f"{victim.name} (pid {victim.pid}) is never stopped by dartsctl",
                hint=f"ps -fp {victim.pid}",
            )
    if not all(map(processes.is_ours, victims)):
        pids = _pids(victims, " ")
        raise DartsctlError(
            f"{victims[0].name} (pid {pids}) belongs to another user; nothing was done",
            hint=f"sudo kill {pids}",
        )


class _Stopping:
    """One family of processes on its way out. `shared` are the pids that have the socket open."""

    def __init__(
        self,
        victims: Sequence[Process],
        shared: frozenset[int],
        endpoints: Sequence[Endpoint],
        deps: ConflictDeps,
    ) -> None:
        self._victims = victims
        self._shared = shared
        self._endpoints = endpoints
        self._deps = deps

    @property
    def living(self) -> list[Process]:
        return [victim for victim in self._victims if processes.is_alive(victim)]

    @property
    def living_pids(self) -> str:
        return _pids(self.living, ",")

    def send(self, number: signal.Signals) -> tuple[int, ...]:
        """Signal each process that is still the one that was seen. Return their pids.

        A process that has the socket open must still hold the port. A reloader above it is
        signalled as long as one of them does.
        """
        signalled = []
        for victim in self._victims:
            still_wanted = partial(self._is_wanted, victim, number)
            if signals.send(victim, number, birth_of=processes.birth, still_wanted=still_wanted):
                signalled.append(victim.pid)
        return tuple(signalled)

    def _is_wanted(self, victim: Process, number: signal.Signals) -> bool:
        holding = self._holding()
        if victim.pid in self._shared:
            return victim.pid in holding
        return number is signal.SIGKILL or not holding.isdisjoint(self._shared)

    def _holding(self) -> set[int]:
        return holding_pids(self._endpoints, self._deps.host)

    def kill(self) -> None:
        """Send SIGKILL after a yes. Raises DartsctlError (7) where it is not given."""
        deps, pids = self._deps, self.living_pids
        question = f"pid {pids} did not end within {deps.grace:.0f} s. Kill it (SIGKILL)?"
        if not deps.yes and not deps.prompts.confirm(question, flags=Advice("add --yes")):
            raise DartsctlError(
                f"pid {pids} was asked to end, and still runs",
                hint=f"ps -fp {pids}",
                code=ExitCode.ANSWER_NEEDED,
            )
        self.send(signal.SIGKILL)

    def wait(self, seconds: float) -> bool:
        """Return whether they end, or release the port, in time. The time left is shown."""
        deps = self._deps
        until = deps.monotonic() + seconds
        shown = int(seconds)
        next_look = 0.0
        while left := self.living:
            now = deps.monotonic()
            if now >= next_look:
                if self._has_released(left):
                    return True
                next_look = now + _LOOK_EVERY
            if now >= until:
                return False
            if int(until - now) < shown:
                shown = int(until - now)
                pids = _pids(left, ", ")
                deps.screen.progress(f"waiting for pid {pids} to end: {shown + 1} s")
            deps.sleep(0.05)
        return True

    def _has_released(self, left: Sequence[Process]) -> bool:
        """Whether the processes that are left have closed the socket, a reloader not among them."""
        pids = {victim.pid for victim in left}
        return pids <= self._shared and pids.isdisjoint(self._holding())


def _pids(processes: Sequence[Process], separator: str) -> str:
    return separator.join(str(process.pid) for process in processes)


def holding_pids(endpoints: Sequence[Endpoint], host: Callable[[], Host]) -> set[int]:
    """Return who listens, or is bound, on one of the endpoints now.

    A connection that uses the number is no reason for a signal.
    """
    pids: set[int] = set()
    for row in rows_on(endpoints, host):
        if not row.is_connection:
            pids.update(row.pids)
    return pids


def rows_on(endpoints: Sequence[Endpoint], host: Callable[[], Host]) -> list[Listener]:
    """Return the sockets, in whatever state, that overlap one of the endpoints now."""
    view = host()
    view.expect({endpoint.port for endpoint in endpoints})
    rows: list[Listener] = []
    for endpoint in endpoints:
        rows += [row for row in view.listeners(endpoint.port) if row.overlaps(endpoint)]
    return rows


def children_of_parent(process: Process) -> set[int]:
    """Return the children of a process' parent now.

    One more of them later, with the same command, is a restart.
    """
    parent_pid = process.parents[0][0] if process.parents else 0
    parent = processes.describe(parent_pid) if parent_pid > 1 else None
    return set(parent.children) if parent else set()


def look_again(
    endpoints: Sequence[Endpoint],
    stopped: Process,
    *,
    before: Collection[int],
    siblings: Collection[int],
    deps: ConflictDeps,
) -> None:
    """Look for `deps.settle` seconds whether somebody brings a process back (edge-cases.md#21).

    `before` are the pids that were in the way before it was stopped; others of them may still be.
    `siblings` is `children_of_parent` from then. Raises DartsctlError (3) with who did.
    """
    until = deps.monotonic() + deps.settle
    while True:
        _refuse_newcomer(endpoints, stopped, before, deps)
        _refuse_restarted(endpoints, stopped, siblings)
        if deps.monotonic() >= until:
            return
        deps.sleep(0.1)


def _refuse_newcomer(
    endpoints: Sequence[Endpoint], stopped: Process, before: Collection[int], deps: ConflictDeps
) -> None:
    """Raise where a new process listens on one of the endpoints."""
    for endpoint in endpoints:
        for row in rows_on([endpoint], deps.host):
            if row.is_connection or not row.surely_blocks:
                continue
            for pid in set(row.pids) - set(before):
                if newcomer := processes.describe(pid):
                    raise _is_back(newcomer, stopped, endpoint)


def _refuse_restarted(
    endpoints: Sequence[Endpoint], stopped: Process, siblings: Collection[int]
) -> None:
    """Raise where the parent of the stopped process has started the same command again."""
    for pid in children_of_parent(stopped) - set(siblings):
        child = processes.describe(pid)
        if child is None or child.status == "zombie" or child.birth == stopped.birth:
            continue
        if child.command == stopped.command:
            raise _is_back(child, stopped, endpoints[0])


def _is_back(newcomer: Process, stopped: Process, endpoint: Endpoint) -> DartsctlError:
    pid, name = newcomer.parents[0] if newcomer.parents else (0, "an unknown process")
    if newcomer.command != stopped.command:
        who = f"{newcomer.name} (pid {newcomer.pid}, started by {name})"
        return DartsctlError(
            f"{stopped.name} was stopped, and {who} has port {endpoint.port} now",
            hint=f"ps -fp {newcomer.pid}",
            code=ExitCode.CONFLICT,
        )
    return DartsctlError(
        f"{stopped.name} was stopped and is back for port {endpoint.port} (pid {newcomer.pid}):"
        f" {name} (pid {pid}) keeps it running",
        details=(f"stop {name} instead, or the service that it belongs to",),
        hint=f"systemctl status {newcomer.pid}" if pid <= 1 else f"ps -fp {pid}",
        code=ExitCode.CONFLICT,
    )
