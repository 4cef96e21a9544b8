"""What there was before an `up`, so that its undo takes away only what the attempt itself made."""

from __future__ import annotations

from collections.abc import Sequence

from dartsctl.commands.preflight import EngineClient, Preflight
from dartsctl.containers import Container
from dartsctl.edges.engine import EngineApi


class Attempt:
    """Remembers the containers and networks of the project at its making."""

    def __init__(self, before: Preflight, engine: EngineClient) -> None:
        self._stack = before.stack
        self._engine = engine if isinstance(engine, EngineApi) else None
        self._known = {one.id for one in before.containers}
        self._had_services = {one.service for one in before.containers if one.project == before.stack.project}
        self._networks = [
            network.name
            for network in before.stack.networks.values()
            if self._engine and not network.external and self._engine.network(network.name) is None
        ]

    def undo(self) -> tuple[Container, ...]:
        """Remove the containers of services that had none before, and the networks that are new; returns those containers. Never a volume.

        A service whose container was replaced keeps the new one: the old one is gone already, and the new one's State.Error tells why.
        Behind a remote engine nothing is undone: `docker compose down` there is one command, and ours to guess it is not.
        """
        if self._engine is None:
            return ()
        made = tuple(
            one
            for one in self._engine.containers()
            if one.project == self._stack.project and one.id not in self._known and one.service not in self._had_services
        )
        for one in made:
            self._engine.remove_container(one.id)
        for name in self._networks:
            self._engine.remove_network(name)
        return made


def names(containers: Sequence[Container]) -> str:
    """`a, b`, or `nothing`."""
    return ", ".join(one.name for one in containers) or "nothing"
