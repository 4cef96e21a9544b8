"""Examine the containers of a stack: state, log, networks, ports, sockets inside. Reads only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.facts import ContainerFacts, LoggedLine, PublishedPort, ServiceFacts
from dartsctl.diagnosis.inspection import Inspection, listed
from dartsctl.diagnosis.nginx.log import parse_moment
from dartsctl.edges.host import network_namespace, processes
from dartsctl.errors import DockerUnavailable
from dartsctl.ports.collisions import NameTaken
from dartsctl.ports.conflicts import PortVerdicts, Verdict
from dartsctl.records import replace
from dartsctl.stack.model import COMPLETED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from concurrent.futures import ThreadPoolExecutor

    from dartsctl.edges.engine.protocol import EngineControl
    from dartsctl.edges.host.container_root import ContainerRoot
    from dartsctl.ports.listeners import Listener
    from dartsctl.stack.containers import Container
    from dartsctl.stack.model import Service
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.preflight.preflight import Preflight

KERNEL = "kernel"
"""How the source of a socket table begins that was read without a process in the container."""
_LINES = 30
"""Lines of each container's log."""
_OOM_DELAY = 0.5
"""Seconds by which the engine may report an out-of-memory kill later than the container's end."""


class ContainerProbes:
    """Examines all containers of one stack at once.

    Without a `control` only the engine's list is known. `skew`: seconds that the engine's clock
    is ahead of ours. `inspections`: descriptions that were just read, by container id. `is_brief`:
    logs and sockets are left for `complete`.
    """

    def __init__(
        self,
        preflight: Preflight,
        control: EngineControl | None,
        pool: ThreadPoolExecutor,
        *,
        deps: Deps,
        skew: float,
        inspections: Mapping[str, Inspection],
        is_brief: bool,
    ) -> None:
        self._preflight = preflight
        self._control = control
        self._pool = pool
        self._deps = deps
        self._skew = skew
        self._known = inspections
        self.is_brief = is_brief
        self._readable: set[str] = set()
        self.commands: dict[str, tuple[str, ...]] = {}
        """Container id -> entry point and command."""
        self._search_paths: dict[str, str] = {}
        self.silent: set[str] = set()
        """Ids of the containers about which the engine did not answer: they are asked once."""
        self.unknown: list[str] = []
        """What could not be examined, one sentence each."""

    def services(self) -> dict[str, ServiceFacts]:
        """Return the services of the stack with their containers."""
        preflight, stack = self._preflight, self._preflight.stack
        facts = self._container_facts()
        names_taken = {
            collision.service: collision.container.name
            for collision in preflight.collisions
            if isinstance(collision, NameTaken)
        }
        services = {}
        for name, service in stack.services.items():
            published = [port for port, owner in stack.published_ports.items() if owner == name]
            conflicts = [
                conflict
                for conflict in preflight.verdicts.conflicts
                if conflict.binding.service == name
            ]
            services[name] = ServiceFacts(
                name=name,
                containers=tuple(container for container in facts if container.service == name),
                replicas=service.replicas,
                depends_on=service.depends_on,
                waits_for_end_of=tuple(_one_shots(service)),
                published=tuple(published),
                conflicts=tuple(conflicts),
                unsure_ports=_unsure_ports(preflight.verdicts, name),
                name_taken_by=names_taken.get(name, ""),
            )
        return services

    def _container_facts(self) -> list[ContainerFacts]:
        """Return the facts of every container of the stack that still exists."""
        own = list(filter(self._preflight.stack.includes, self._preflight.containers))
        inspections = self._inspect_all(own)
        for inspection in inspections.values():
            self._deps.screen.masker.learn(inspection.environment)
        facts = self._pool.map(
            lambda container: self._examine(container, inspections.get(container.id)), own
        )
        return [container for container in facts if container.state]

    def _inspect_all(self, own: Sequence[Container]) -> dict[str, Inspection]:
        if self._control is None:
            endpoint = self._preflight.engine.endpoint
            self.unknown.append(
                f"the engine at {endpoint} was asked for its list only: no logs, no networks, "
                "no health output"
            )
            return {}
        inspections = {}
        described = self._pool.map(self._description, own)
        for container, inspection in zip(own, described, strict=True):
            if inspection is not None:
                inspections[container.id] = inspection
        return inspections

    def _description(self, container: Container) -> Inspection | None:
        return self._known.get(container.id) or self._inspect(container)

    def _inspect(self, container: Container) -> Inspection | None:
        """Return None if the container is gone or the engine does not answer about it.

        The engine may hold a lock on one container for ever.
        """
        if self._control is None:
            return None
        try:
            return self._control.inspect(container.id)
        except DockerUnavailable as error:
            self.unknown.append(f"{container.name}: {error.message}")
            self.silent.add(container.id)
            return None

    def _examine(self, container: Container, inspection: Inspection | None) -> ContainerFacts:
        """Return the facts of one container; an empty state if it is gone."""
        if self._control is None or container.id in self.silent:
            return listed(container)
        if inspection is None:
            return ContainerFacts(service=container.service, name=container.name, id=container.id)
        facts = inspection.of_service(container.service)
        if _was_killed_just_now(facts, self._deps.now() + self._skew):
            self._deps.sleep(_OOM_DELAY)
            facts = (self._inspect(container) or inspection).of_service(container.service)
        self.commands[container.id] = inspection.command
        self._search_paths[container.id] = inspection.environment.get("PATH", "")
        facts = replace(facts, wanted=self._wanted(facts))
        if self.is_brief:
            return facts
        return self._looked_into(facts)

    def _wanted(self, facts: ContainerFacts) -> tuple[PublishedPort, ...]:
        """Return what must be published, without what the engine binds for nobody."""
        unbound = {
            (row.entry.target, row.entry.protocol)
            for row in self._preflight.verdicts.unbound
            if row.service == facts.service
        }
        return tuple(
            place
            for place in facts.wanted
            if (place.target, place.endpoint.protocol) not in unbound
        )

    def complete(self, services: Mapping[str, ServiceFacts]) -> dict[str, ServiceFacts]:
        """Return services of a brief look with the logs and sockets of their containers."""
        completed: dict[str, ServiceFacts] = {}
        for name, service in services.items():
            containers = tuple(self._pool.map(self._looked_into, service.containers))
            completed[name] = replace(service, containers=containers)
        return completed

    def _looked_into(self, facts: ContainerFacts) -> ContainerFacts:
        """Return the facts with the container's log, and what listens inside it."""
        if facts.id not in self.commands:  # the engine has not described it
            return facts
        tables, source = self._tables(facts)
        listening = None
        if tables is not None:
            self._readable.add(facts.id)
            listening = network_namespace.listening(tables)
        return replace(facts, log=self._log(facts.id), listening=listening, listening_source=source)

    def _log(self, identity: str) -> tuple[LoggedLine, ...] | None:
        if self._control is None:
            return None
        try:
            lines = self._control.log(identity, tail=_LINES, timestamps=True)
        except DockerUnavailable:
            return None
        if lines is None:
            return None
        return tuple(
            LoggedLine(line.text, parse_moment(line.when)) for line in lines if line.text.strip()
        )

    def root(self, container: ContainerFacts) -> ContainerRoot | None:
        """Return the root folder of a container that runs on this host, else None."""
        if not container.runs or not self._preflight.engine.is_here:
            return None
        from dartsctl.edges.host.container_root import ContainerRoot

        path = self._search_paths.get(container.id, "")
        return ContainerRoot(container.id, container.pid, path)

    def connections(self, container: ContainerFacts) -> tuple[Listener, ...]:
        """Return the connections of a container; none if they are not readable."""
        if container.id not in self._readable:
            return ()
        tables, _ = self._tables(container)
        return network_namespace.connections(tables) if tables else ()

    def _tables(self, container: ContainerFacts) -> tuple[tuple[str, ...] | None, str]:
        if self._control is None:
            return None, ""
        is_here = self._preflight.engine.is_here
        return socket_tables(container, self._control, is_here=is_here)


def socket_tables(
    container: ContainerFacts, control: EngineControl, *, is_here: bool
) -> tuple[tuple[str, ...] | None, str]:
    """Return the socket tables inside a container and their source, None if they are unreadable.

    Read from the kernel if the engine `is_here` and this user may, else with `cat` in the
    container.
    """
    if not container.runs:
        return None, ""
    if is_here and container.pid and processes.container_id_of(container.pid) == container.id:
        tables = network_namespace.tables(container.pid)
        if tables is not None:
            return tables, f"{KERNEL}: socket table of {container.name}"
    files = [f"/proc/net/{name}" for name in network_namespace.TABLES]
    try:
        result = control.execute(container.id, ["cat", *files])
    except DockerUnavailable:
        return None, ""
    if result is None or not result[1]:
        return None, ""
    return (result[1],), f"socket table in {container.name}"


def _unsure_ports(verdicts: PortVerdicts, service: str) -> tuple[int, ...]:
    """Return the ports of a service that may be free or not: reading alone does not tell."""
    ports: list[int] = []
    for checked in verdicts.bindings:
        if checked.binding.service == service and checked.verdict is Verdict.UNCERTAIN:
            ports += checked.binding.numbers
    return tuple(ports)


def _one_shots(service: Service) -> Iterator[str]:
    """Yield what a service needs and what has to end well first, such as a migration."""
    for name, condition in service.conditions.items():
        if condition == COMPLETED:
            yield name


def _was_killed_just_now(container: ContainerFacts, now: float) -> bool:
    return (
        container.exit_code == 137
        and not container.oom_killed
        and container.finished is not None
        and now - container.finished < 2 * _OOM_DELAY
    )
