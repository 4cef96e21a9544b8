"""What the engine says of its containers at one moment, each answer asked for once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.stack.containers import of_services

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dartsctl.diagnosis.inspection import Inspection
    from dartsctl.edges.engine.protocol import Engine
    from dartsctl.stack.containers import Container
    from dartsctl.stack.model import Stack


class EngineReading:
    """One look at the engine. Make a new one when time has passed, or something was changed.

    The list is asked for when it is needed first, and each container is described when it is.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._containers: tuple[Container, ...] | None = None
        self._inspections: dict[str, Inspection | None] = {}

    def containers(self) -> tuple[Container, ...]:
        """Return all containers, stopped ones and other projects' too."""
        if self._containers is None:
            self._containers = self._engine.containers()
        return self._containers

    def own(self, stack: Stack) -> list[Container]:
        """Return the containers of a stack's services."""
        return of_services(self.containers(), stack.project, stack.services)

    def inspect(self, identity: str) -> Inspection | None:
        """Return the description of a container; None if it is gone, or the engine gives none."""
        if identity not in self._inspections:
            control = self._engine.control()
            self._inspections[identity] = control.inspect(identity) if control else None
        return self._inspections[identity]

    @property
    def inspections(self) -> Mapping[str, Inspection]:
        """The descriptions that were asked for, by container id."""
        described = self._inspections.items()
        return {identity: seen for identity, seen in described if seen is not None}
