"""How ready the containers of a stack are: the engine's list, and a look into each container."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from dartsctl.edges.host import network_namespace
from dartsctl.errors import DockerUnavailable
from dartsctl.records import record
from dartsctl.stack.health import (
    ContainerLook,
    CrashLoops,
    StackHealth,
    assess_health,
    has_health_check,
    needs_look,
    settling_time_of,
    uptime,
)
from dartsctl.stack.inside_ports import SilentPort, published_targets, silent_ports
from dartsctl.workflows.examine.containers import KERNEL, socket_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dartsctl.diagnosis.facts import ContainerFacts
    from dartsctl.edges.engine.protocol import EngineControl
    from dartsctl.stack.containers import Container
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.preflight.preflight import Preflight
    from dartsctl.workflows.up.engine_reading import EngineReading

_RESTART_PAUSE = 2.0
"""Seconds that a container may read as exited before its restart policy starts it again."""
_ASKED_AGAIN = 1.0
"""Seconds until the sockets of a container are read again, if that takes a process in it, or if it
listened everywhere: the kernel walks through all connections of the host for it."""
_MOST_MISSES = 2
"""Answers of the engine in a row that may fail."""
_SKIPPED = "skipped the check that"
_NO_PORTS: Mapping[int, str] = MappingProxyType({})


@record
class _SocketLook:
    """What listens inside a container, as far as that could be read, and when it was read."""

    run: object
    """The run of the container: a restart makes another one."""
    silent: tuple[SilentPort, ...] | None
    """None: its sockets could not be read."""
    when: float
    is_cheap: bool

    def lasts(self, now: float) -> bool:
        """Whether it counts still. A cheap one of a container that is waited for never does."""
        return now - self.when < _ASKED_AGAIN and not (self.is_cheap and self.silent)


class Readiness:
    """Reads the health of one stack after its `up`, again and again."""

    def __init__(self, before: Preflight, *, settling_time: float, deps: Deps) -> None:
        self._stack = before.stack
        self._engine = deps.engine()
        self._is_here = before.engine.is_here
        self._has_our_clock = before.engine.kind == "local"  # else its time says nothing here
        self._deps = deps
        self._settling_time = settling_time
        self._loops = CrashLoops()
        self._published = {
            service.name: published_targets(
                service,
                [row.entry for row in before.verdicts.unbound if row.service == service.name],
            )
            for service in before.stack.services.values()
        }
        self._passed_on: Mapping[str, Mapping[int, str]] = {}
        self._sockets: dict[str, _SocketLook] = {}
        self._ended: dict[str, tuple[object, float]] = {}
        self._moments: list[float] = []
        """When each container without a health check has run, or will have run, long enough."""

    def expect(self, passed_on: Mapping[str, Mapping[int, str]]) -> None:
        """Wait for these ports too: service -> port that a proxy passes requests to -> proxy."""
        if passed_on != self._passed_on:
            self._passed_on = passed_on
            self._sockets.clear()

    def judge(self, reading: EngineReading) -> StackHealth:
        """Return the health of the stack as the engine was read. A crash loop has failed."""
        containers = reading.own(self._stack)
        self._moments.clear()
        looks = {each.id: self._look(each, reading) for each in containers if needs_look(each)}
        health = assess_health(self._stack, containers, looks, settling_time=self._settling_time)
        return self._loops.judge(health)

    def settled(self, reading: EngineReading) -> list[Container]:
        """Return the containers that run, and not just between two failures of a crash loop."""
        own = reading.own(self._stack)
        return [container for container in own if _is_settled(container, reading)]

    @property
    def settles_at(self) -> float | None:
        """When the next container has run long enough, Unix time; None if that is not known."""
        now = self._deps.now()
        return min(filter(lambda moment: moment > now, self._moments), default=None)

    def unseen(self, reading: EngineReading) -> tuple[str, ...]:
        """Return what could not be checked, one sentence each."""
        if self._control is None:
            if not any(map(self._expected, self._stack.services)):
                return ()
            address = self._engine.address
            return (f"{_SKIPPED} services listen on their ports: {address} gives only its list",)
        return tuple(
            f"{_SKIPPED} {container.name} listens on its ports: its socket table is unreadable"
            for container in reading.own(self._stack)
            if container.id in self._sockets and self._sockets[container.id].silent is None
        )

    @property
    def _control(self) -> EngineControl | None:
        return self._engine.control()

    def _look(self, container: Container, reading: EngineReading) -> ContainerLook:
        inspected = reading.inspect(container.id)
        if inspected is None:
            return ContainerLook()
        facts = inspected.of_service(container.service)
        if facts.runs and facts.started and self._has_our_clock:
            needed = settling_time_of(facts.restart_count, self._settling_time)
            self._moments.append(facts.started + needed)
        return ContainerLook(
            restarts=facts.restart_count,
            is_between_runs=facts.state != container.state or self._restarts_again(facts),
            silent=self._silent_ports(facts),
        )

    def _restarts_again(self, facts: ContainerFacts) -> bool:
        """Return whether the engine is about to start a container again that has ended.

        Between two starts it may read as exited for a moment. One that somebody has stopped reads
        the same, and stays so.
        """
        if facts.state != "exited" or not _has_restart_policy(facts):
            self._ended.pop(facts.id, None)
            return False
        run, now = (facts.started, facts.finished, facts.restart_count), self._deps.monotonic()
        known, since = self._ended.get(facts.id, (None, now))
        if known != run:
            since = now
            self._ended[facts.id] = (run, now)
        return now - since < _RESTART_PAUSE

    def _expected(self, service: str) -> bool:
        return bool(self._published[service] or self._passed_on.get(service))

    def _silent_ports(self, facts: ContainerFacts) -> tuple[SilentPort, ...]:
        """Return the ports without a listener; none if they cannot be read, or none is needed."""
        if not facts.runs or facts.health or not self._expected(facts.service):
            return ()
        run, now = (facts.started, facts.restart_count), self._deps.monotonic()
        known = self._sockets.get(facts.id)
        if known and known.run == run and known.lasts(now):
            return known.silent or ()
        control = self._control
        tables, source = None, ""
        if control:
            tables, source = socket_tables(facts, control, is_here=self._is_here)
        silent = None
        if tables is not None:
            silent = silent_ports(
                self._published[facts.service],
                self._passed_on.get(facts.service, _NO_PORTS),
                network_namespace.listening(tables),
            )
        is_cheap = source.startswith(KERNEL)
        self._sockets[facts.id] = _SocketLook(run, silent, now, is_cheap)
        return silent or ()


def _is_settled(container: Container, reading: EngineReading) -> bool:
    if container.state != "running":
        return False
    if has_health_check(container):
        return True
    inspected = reading.inspect(container.id)
    restarts = inspected.facts.restart_count if inspected else 0
    return not restarts or uptime(container) >= settling_time_of(restarts)


def _has_restart_policy(facts: ContainerFacts) -> bool:
    """Return whether the engine starts a container again that has ended with this exit code."""
    if facts.restart_policy == "on-failure":
        return facts.exit_code != 0
    return facts.restart_policy in ("always", "unless-stopped")


class Forgiving:
    """Reads the health of a stack, and goes on with the last one if the engine is late.

    One busy moment of an engine must not end an `up` whose containers are all there.
    """

    def __init__(self, read: Callable[[], StackHealth]) -> None:
        self._read = read
        self._last: StackHealth | None = None
        self._misses = 0

    def __call__(self) -> StackHealth:
        """Return the health. Raises DockerUnavailable from the third miss in a row on."""
        try:
            self._last = self._read()
        except DockerUnavailable:
            self._misses += 1
            if self._last is None or self._misses > _MOST_MISSES:
                raise
            return self._last
        self._misses = 0
        return self._last
