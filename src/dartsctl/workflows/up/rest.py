"""The pause between two looks at a stack that is not ready yet: it ends when something happens.

The engine says at once when a container becomes healthy, starts or ends. That a process begins to
listen, nobody says: so no pause is long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.errors import DartsctlError

if TYPE_CHECKING:
    from dartsctl.edges.engine.events import EventStream
    from dartsctl.edges.engine.protocol import Engine
    from dartsctl.workflows.deps import Deps

_SHORTEST = 0.02
"""Seconds. Several events come at once, and a moment that is near may be missed by a little."""


class Rest:
    """Pauses in the wait for one project. Without the engine's events it only sleeps."""

    def __init__(self, engine: Engine, project: str, deps: Deps) -> None:
        self._engine = engine
        self._project = project
        self._deps = deps
        self._events: EventStream | None = None
        self._is_open = False

    def rest(self, seconds: float, *, until: float | None = None) -> None:
        """Rest for some seconds, but not beyond `until`, or until the engine says something.

        `until` is a moment of the wall clock at which a container becomes ready.
        """
        if until is not None:
            seconds = min(seconds, max(_SHORTEST, until - self._deps.now()))
        events = self._open()
        if events is None:
            self._deps.sleep(seconds)
            return
        try:
            happened = events.read(seconds)
        except DartsctlError:  # no stream of events, or a flood of them
            happened = None
        if happened is None:
            self.close()
            self._deps.sleep(_SHORTEST)
        elif happened:
            self._deps.sleep(_SHORTEST)

    def close(self) -> None:
        """End the stream. Later pauses are only slept."""
        if self._events is not None:
            self._events.close()
            self._events = None

    def _open(self) -> EventStream | None:
        """Return the stream of events; None where the engine gives none."""
        if self._is_open:
            return self._events
        self._is_open = True
        from dartsctl.edges.engine.events import RecentEvents

        try:
            control = self._engine.control()
            if control is not None:
                self._events = control.events(self._project, RecentEvents())
        except DartsctlError:
            return None
        return self._events
