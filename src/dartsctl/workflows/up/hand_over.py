"""The hand-over of reserved ports: `watch --reserve` lets go of them right before the engine binds.

Where a gate is in place, the ports are released before Compose begins: nobody but the engine can
bind them meanwhile. Without one they are released as late as possible, when Compose starts the
first container. Until then they are held, and whoever tries in a loop may win after that.

When the verb ends, for whatever reason, the connection to the watch ends, and the watch reserves
again what is free then.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from dartsctl.text.patterns import regex
from dartsctl.workflows.reservations import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dartsctl.config.environment import Environment
    from dartsctl.edges.reserve.ask import Connection
    from dartsctl.edges.screen.output import Screen
    from dartsctl.workflows.deps import Deps

_PATIENCE = 2.0
"""Seconds for an answer. It takes less than one millisecond."""
_STARTS = regex(r'\s*Container "?[^\s"]+"?\s+(Starting|Started|Restarting)\s*')


class HandOver:
    """What the watch of a project reserves, for the time of one verb."""

    def __init__(self, state: Path, project: str, screen: Screen) -> None:
        self._state = state
        self._project = project
        self._screen = screen
        self._connection: Connection | None = None
        self._waits = False
        """Whether the ports are held until Compose starts a container."""

    def begin(self) -> None:
        """Compose is about to begin: release the ports, or as soon as it starts a container."""
        if self._connection is not None:
            return
        connection = connect(self._state, self._project)
        if connection is None:
            return
        with connection:
            answer = connection.ask("state", within=_PATIENCE)
            if answer is None:
                self._end_process(connection)
                return
        self._waits = bool(answer.held) and not answer.guarded
        if not self._waits:  # also without any: the watch may be about to hold them
            self._release()

    def follow(self, line: str) -> None:
        """Follow one line of Compose."""
        if self._waits and _STARTS.fullmatch(line):
            self._waits = False
            self._release()

    def close(self) -> None:
        """The verb has ended: the watch may reserve the ports again."""
        if self._connection:
            self._connection.__exit__()
            self._connection = None

    def _release(self) -> None:
        connection = connect(self._state, self._project)
        if connection is None:  # it has ended, and its sockets with it
            return
        self._connection = connection
        answer = connection.ask("release", within=_PATIENCE)
        if answer is None:
            self._end_process(connection)
        elif answer.held:
            self._screen.warn(f"dartsctl watch (pid {answer.watch}) still holds reserved ports")

    def _end_process(self, connection: Connection) -> None:
        """Take the ports from a process that does not answer: it does nothing but hold them."""
        watch = f"dartsctl watch (pid {connection.parent})"
        silence = f"the process (pid {connection.pid}) that reserves ports for {watch} did not"
        silence += f" answer within {_PATIENCE:.0f} s"
        if connection.kill():
            self._screen.warn(f"{silence}: ended it, the watch goes on")
        else:
            self._screen.warn(f"{silence}: the ports may be busy")


@contextmanager
def handed_over(environment: Environment, *, deps: Deps) -> Iterator[HandOver]:
    """Hand the reserved ports of an environment over, until this context ends."""
    project = environment.project or environment.name
    hand_over = HandOver(deps.state, project, deps.screen)
    try:
        yield hand_over
    finally:
        hand_over.close()
