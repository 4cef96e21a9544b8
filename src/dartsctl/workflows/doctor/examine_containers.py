"""The step that looks at a stack's containers: state, log, networks, ports, sockets inside. Changes nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from dartsctl.diagnosis.facts import ContainerFacts, LoggedLine, ServiceFacts
from dartsctl.diagnosis.inspection import Inspection, listed
from dartsctl.diagnosis.nginx import log
from dartsctl.edges.engine.protocol import EngineControl
from dartsctl.edges.host import network_namespace, processes
from dartsctl.errors import DockerUnavailable
from dartsctl.ports.collisions import NameTaken
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.containers import Container
from dartsctl.text.masker import Masker
from dartsctl.workflows.up.preflight import Preflight

_LINES = 30
_LATE = 0.5  # seconds by which the engine may learn later of an out-of-memory kill than of the end


class Containers:
    """The containers of one stack, all looked at side by side. Without an `api` the engine's list is all there is."""

    def __init__(
        self,
        before: Preflight,
        api: EngineControl | None,
        pool: ThreadPoolExecutor,
        *,
        masker: Masker,
        skew: float,
    ) -> None:
        self._before = before
        self._api = api
        self._pool = pool
        self._masker = masker
        self._skew = skew
        self._readable: set[str] = set()
        self.commands: dict[str, tuple[str, ...]] = {}
        """Container id -> what it runs."""
        self.silent: set[str] = set()
        """Ids of those about which the engine says nothing: it is asked once."""
        self.unknown: list[str] = []

    def services(self) -> dict[str, ServiceFacts]:
        """The services of the model, each with its containers."""
        stack = self._before.stack
        own = [
            one
            for one in self._before.containers
            if one.project == stack.project and one.service in stack.services and not one.is_one_off
        ]
        documents = self._documents(own)
        for document in documents.values():
            self._masker.learn(document.environment)
        containers = list(
            self._pool.map(lambda one: self._container(one, documents.get(one.id)), own)
        )
        taken = {
            one.service: one.container.name
            for one in self._before.collisions
            if isinstance(one, NameTaken)
        }
        conflicts = self._before.verdicts.conflicts
        return {
            name: ServiceFacts(
                name=name,
                containers=tuple(one for one in containers if one.service == name and one.state),
                replicas=service.replicas,
                depends_on=service.depends_on,
                published=tuple(
                    port for port, owner in stack.published_ports.items() if owner == name
                ),
                conflicts=tuple(one for one in conflicts if one.binding.service == name),
                name_taken_by=taken.get(name, ""),
            )
            for name, service in stack.services.items()
        }

    def _documents(self, own: Sequence[Container]) -> dict[str, Inspection]:
        if self._api is None:
            self.unknown.append(
                f"the engine at {self._before.engine.endpoint} was asked for its list alone: no logs, no networks, no health output"
            )
            return {}
        found = self._pool.map(self._document, own)
        return {
            one.id: document
            for one, document in zip(own, found, strict=True)
            if document is not None
        }

    def _document(self, one: Container) -> Inspection | None:
        """None where it is gone, or the engine is silent about this one container: a lock of its own may be held for ever."""
        try:
            return self._api.inspect(one.id) if self._api else None
        except DockerUnavailable as error:
            self.unknown.append(f"{one.name}: {error.message}")
            self.silent.add(one.id)
            return None

    def _log(self, identity: str) -> tuple[LoggedLine, ...] | None:
        try:
            lines = self._api.log(identity, tail=_LINES, timestamps=True) if self._api else None
        except DockerUnavailable:
            return None
        return (
            None
            if lines is None
            else tuple(
                LoggedLine(line.text, log.moment(line.when)) for line in lines if line.text.strip()
            )
        )

    def _container(self, one: Container, inspected: Inspection | None) -> ContainerFacts:
        """An empty state: it went away meanwhile."""
        if self._api is None or one.id in self.silent:
            return listed(one)
        if inspected is None:
            return ContainerFacts(service=one.service, name=one.name, id=one.id)
        found = inspected.of_service(one.service)
        if _was_killed_just_now(found, time.time() + self._skew):
            time.sleep(_LATE)
            found = (self._document(one) or inspected).of_service(one.service)
        unbound = {
            (entry.entry.target, entry.entry.protocol)
            for entry in self._before.verdicts.unbound
            if entry.service == one.service
        }
        self.commands[one.id] = inspected.command
        tables, source = self._socket_tables(found)
        if tables is not None:
            self._readable.add(one.id)
        listening = None if tables is None else network_namespace.listening(tables)
        wanted = tuple(
            place
            for place in found.wanted
            if (place.target, place.endpoint.protocol) not in unbound
        )
        return replace(
            found,
            wanted=wanted,
            log=self._log(one.id),
            listening=listening,
            listening_source=source,
        )

    def _socket_tables(self, one: ContainerFacts) -> tuple[tuple[str, ...] | None, str]:
        """From the host where this user may read them, else by a `cat` in the container."""
        if not one.runs or self._api is None:
            return None, ""
        if self._before.engine.is_here and one.pid and processes.container_id_of(one.pid) == one.id:
            tables = network_namespace.tables(one.pid)
            if tables is not None:
                return tables, f"kernel: socket table of {one.name}"
        try:
            done = self._api.execute(
                one.id, ["cat", *(f"/proc/net/{name}" for name in network_namespace.TABLES)]
            )
        except DockerUnavailable:
            done = None
        if done is None or not done[1]:
            return None, ""
        return (done[1],), f"socket table in {one.name}"

    def peers(self, one: ContainerFacts) -> tuple[Endpoint, ...]:
        """Whom a container is connected, or connecting, to right now; nobody where that cannot be seen."""
        tables = self._socket_tables(one)[0] if one.id in self._readable else None
        return network_namespace.peers(tables) if tables else ()


def _was_killed_just_now(one: ContainerFacts, now: float) -> bool:
    return (
        one.exit_code == 137
        and not one.oom_killed
        and one.finished is not None
        and now - one.finished < 2 * _LATE
    )
