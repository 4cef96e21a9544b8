"""What a server's process tree listens on, looked at while it runs: its leased port, a production port, or some other one."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from dartsctl.ports.listeners import Listener, Probe
from dartsctl.ports.process import Process
from dartsctl.stack.bindings import Endpoint, TransportProtocol

_TCP: tuple[TransportProtocol, ...] = ("tcp",)
_TRIES = 5
"""A socket whose owner stays invisible for so many looks is nobody's of ours (a container's, another user's)."""
_FIRST_EPHEMERAL = 32768
"""From here on the kernel hands ports out: debuggers and worker pools listen there, no server that is meant to be visited."""


class Sockets(Protocol):
    """What `run` asks of edges/host/sockets.py."""

    def probe(self, endpoint: Endpoint, *, udp_reuse_address: bool = False) -> Probe: ...

    def listeners(
        self,
        ports: Iterable[int],
        *,
        owners: bool = False,
        listening_only: bool = False,
        protocols: Sequence[TransportProtocol] = ...,
    ) -> tuple[Listener, ...]: ...


class Processes(Protocol):
    """What `run` asks of edges/host/processes.py."""

    def describe(self, pid: int) -> Process | None: ...

    def is_within(self, pid: int, ancestor: int) -> bool: ...

    def birth(self, pid: int) -> int | None: ...

    def start_time(self, pid: int) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """One look: the production port that the tree listens on, and whether it listens on its leased one."""

    production: int | None
    ready: bool


class Watch:
    """The listeners of the tree under `supervisor`.

    A look costs one filtered reading of the socket table; owners are resolved for new sockets alone.
    """

    def __init__(
        self,
        leased: int,
        production: Iterable[int],
        supervisor: int,
        *,
        sockets: Sockets,
        processes: Processes,
    ) -> None:
        self._leased = leased
        self._production = frozenset(production)
        self._supervisor = supervisor
        self._sockets = sockets
        self._processes = processes
        self._foreign: set[int] = set()
        self._unseen: Counter[int] = Counter()
        self._own: list[Listener] = []

    def look(self) -> Seen:
        """Raises DartsctlError when the socket table cannot be read."""
        wanted = self._production if self._own else self._production | {self._leased}
        new = {
            row.port
            for row in self._sockets.listeners(wanted, listening_only=True, protocols=_TCP)
            if self._is_new(row)
        }
        offence: int | None = None
        if new:
            for row in self._sockets.listeners(
                new, owners=True, listening_only=True, protocols=_TCP
            ):
                if not (self._is_new(row) and self._is_ours(row)):
                    continue
                if row.port == self._leased:
                    self._own.append(row)
                else:
                    offence = row.port
        return Seen(offence, ready=bool(self._own))

    def address(self, wanted: str) -> str:
        """Where the leased port is listened on: `wanted` if a connection to it arrives, else the server's own choice, such as ::1 for `localhost`."""
        if any(row.overlaps(Endpoint(self._leased, wanted)) for row in self._own):
            return wanted
        return min((row.address for row in self._own), default=wanted)

    def elsewhere(self) -> tuple[int, ...]:
        """The other ports below the kernel's own range that the tree listens on. Reads the whole table: not for every look."""
        rows = self._sockets.listeners(
            range(1, _FIRST_EPHEMERAL), owners=True, listening_only=True, protocols=_TCP
        )
        mine = {row.port for row in rows if row.port != self._leased and self._within(row)}
        return tuple(sorted(mine))

    def _is_new(self, row: Listener) -> bool:
        return row.inode not in self._foreign

    def _is_ours(self, row: Listener) -> bool:
        """Remembers the sockets that are not. An owner that cannot be seen is ours on the leased port: nobody else may have it."""
        if self._within(row):
            return True
        self._unseen[row.inode] += 1
        hidden = not row.pids and (row.uid is None or row.uid == os.geteuid())
        if hidden and self._unseen[row.inode] < _TRIES:
            return False  # perhaps between socket() and our walk: look again
        if row.inode:
            self._foreign.add(row.inode)
        return hidden and row.port == self._leased

    def _within(self, row: Listener) -> bool:
        return any(self._processes.is_within(pid, self._supervisor) for pid in row.pids)
