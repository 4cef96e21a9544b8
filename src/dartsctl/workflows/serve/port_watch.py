"""What a server's process tree listens on: its leased port, a production port, or another one."""

from __future__ import annotations

import os
from collections import Counter

from dartsctl.records import record
from dartsctl.stack.bindings import Endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from dartsctl.ports.listeners import Listener
    from dartsctl.stack.bindings import TransportProtocol
    from dartsctl.workflows.serve.deps import Processes, Sockets

_TCP: tuple[TransportProtocol, ...] = ("tcp",)
_TRIES = 5
"""After so many looks, a socket without a visible owner belongs to a container or another user."""
_FIRST_EPHEMERAL = 32768
"""From here on the kernel assigns ports. Debuggers and worker pools listen there, not servers."""
_NOT_ASSIGNED = frozenset(range(1, _FIRST_EPHEMERAL))


@record
class Observation:
    """One look: the production port that the tree listens on, and whether it has its leased one."""

    production: int | None
    ready: bool


class PortWatch:
    """The listeners of the process tree under `supervisor`.

    A look reads the socket table once, for a few ports. Owners are resolved for new sockets only.
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
        self._invisible: Counter[int] = Counter()
        self._own: list[Listener] = []
        self._seen: dict[int, bool] = {}

    def look(self) -> Observation:
        """Look once. Raises DartsctlError if the socket table cannot be read."""
        wanted = self._production if self._own else self._production | {self._leased}
        rows = self._sockets.listeners(wanted, listening_only=True, protocols=_TCP)
        new = {row.port for row in rows if self._is_new(row)}
        production: int | None = None
        if new:
            for row in self._listeners_with_owners(new):
                if not (self._is_new(row) and self._is_ours(row)):
                    continue
                if row.port == self._leased:
                    self._own.append(row)
                else:
                    production = row.port
        return Observation(production, ready=bool(self._own))

    def address(self, wanted: str) -> str:
        """Return where the leased port is listened on.

        That is `wanted` if a connection to it arrives, else the server's own choice, such as ::1
        for `localhost`.
        """
        if any(row.overlaps(Endpoint(self._leased, wanted)) for row in self._own):
            return wanted
        return min((row.address for row in self._own), default=wanted)

    def elsewhere(self, tried: Collection[int] = ()) -> tuple[int, ...]:
        """Return the other ports that the tree listens on.

        Of those that the kernel assigns, only the `tried` ones count: the tree asked for them.
        Owners are resolved for new sockets only, which takes a walk of all open files.
        """
        wanted = _NOT_ASSIGNED.union(tried) - {self._leased}
        rows = self._sockets.listeners(wanted, listening_only=True, protocols=_TCP)
        listening = {row.inode for row in rows}
        new = {row.port for row in rows if row.inode not in self._seen}
        if new:
            for row in self._listeners_with_owners(new):
                self._invisible[row.inode] += not row.pids
                if row.pids or self._invisible[row.inode] >= _TRIES:
                    self._seen[row.inode] = self._is_within(row)
        own = {row.port for row in rows if self._seen.get(row.inode)}
        self._seen = {inode: ours for inode, ours in self._seen.items() if inode in listening}
        return tuple(sorted(own))

    def taken(self, tried: Mapping[int, str]) -> tuple[int, ...]:
        """Return those of the ports that the tree `tried` to bind which others listen on.

        `tried` has the address of each.
        """
        wanted = set(tried) - {self._leased}
        rows = self._sockets.listeners(wanted, listening_only=True, protocols=_TCP)
        if not rows:
            return ()
        owned = self._listeners_with_owners(row.port for row in rows)
        # The tree's own socket that is closed just now has no owner any more.
        later = self._sockets.listeners(wanted, listening_only=True, protocols=_TCP)
        listening = {row.inode for row in later}
        others = set()
        for row in owned:
            is_in_the_way = row.overlaps(Endpoint(row.port, tried[row.port]))
            if is_in_the_way and row.inode in listening and not self._is_within(row):
                others.add(row.port)
        return tuple(sorted(others))

    def _listeners_with_owners(self, ports: Iterable[int]) -> tuple[Listener, ...]:
        return self._sockets.listeners(ports, owners=True, listening_only=True, protocols=_TCP)

    def _is_new(self, row: Listener) -> bool:
        return row.inode not in self._foreign

    def _is_ours(self, row: Listener) -> bool:
        """Return whether the socket is of the tree, and remember those that are not.

        On the leased port, an owner that cannot be seen is ours: nobody else may have that port.
        """
        if self._is_within(row):
            return True
        self._invisible[row.inode] += 1
        hidden = not row.pids and (row.uid is None or row.uid == os.geteuid())
        if hidden and self._invisible[row.inode] < _TRIES:
            return False  # perhaps made after the processes were read: look again
        if row.inode:
            self._foreign.add(row.inode)
        return hidden and row.port == self._leased

    def _is_within(self, row: Listener) -> bool:
        return any(self._processes.is_within(pid, self._supervisor) for pid in row.pids)
