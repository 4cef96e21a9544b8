"""The source for an engine whose containers are only listed (tcp://, ssh://).

A list does not say whether somebody has stopped a container. So it only asks for looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.observations import Started
from dartsctl.errors import DockerUnavailable
from dartsctl.workflows.watch.engine_state import EngineState
from dartsctl.workflows.watch.signals import LookWanted, Note, Noticed, Observed

if TYPE_CHECKING:
    import threading

    from dartsctl.edges.engine.protocol import Engine
    from dartsctl.stack.containers import Container
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.signals import Emit

_INTERVAL = 30.0
"""Seconds between two lists: one costs a process and several seconds over ssh."""


class ListedSource:
    """The containers of one project, listed on an interval."""

    name = "events"

    def __init__(self, project: str, engine: Engine, *, deps: Deps) -> None:
        self._project = project
        self._engine = engine
        self._clock = deps.now
        self._state = EngineState(engine.address)
        self._known: dict[str, Container] = {}

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """List until `stop` is set."""
        text = (
            f"the engine at {self._engine.address} has no events here: its containers are listed"
            f" every {_INTERVAL:.0f} s, and a planned stop looks like a crash"
        )
        emit(Note(text, self._clock()))
        while not stop.is_set():
            try:
                self._list(emit)
            except DockerUnavailable as error:
                self._state.gone(error, self._clock(), emit)
            stop.wait(_INTERVAL)

    def _list(self, emit: Emit) -> None:
        rows: dict[str, Container] = {}
        for container in self._engine.containers():
            if container.belongs_to(self._project):
                rows[container.id] = container
        self._state.answers(self._clock(), emit)
        # What runs at first was started: a saved state may have it as stopped on purpose.
        self._compare(self._known, rows, emit)
        self._known = rows

    def _compare(
        self, before: dict[str, Container], rows: dict[str, Container], emit: Emit
    ) -> None:
        now = self._clock()
        for id_, container in before.items():
            row = rows.get(id_)
            if _runs(container) and not (row and _runs(row)):
                emit(Noticed("list", container.service, "runs no more", now))
                emit(LookWanted(f"{container.service} runs no more"))
        for id_, row in rows.items():
            was = before.get(id_)
            if _runs(row) and not (was and _runs(was)):
                emit(Observed(Started(row.service, row.name), now))


def _runs(container: Container) -> bool:
    return container.state in ("running", "paused")
