"""What running containers of a stack miss: published ports, and their networks."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from dartsctl.errors import DartsctlError
from dartsctl.ports import missing_bindings
from dartsctl.ports.conflicts import Verdict
from dartsctl.ports.missing_bindings import MissingBinding, MissingKind

if TYPE_CHECKING:
    from dartsctl.edges.engine.protocol import Engine
    from dartsctl.ports.listeners import Listener
    from dartsctl.stack.bindings import Endpoint
    from dartsctl.stack.containers import Container
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.host import Host
    from dartsctl.workflows.preflight.preflight import Preflight
    from dartsctl.workflows.up.engine_reading import EngineReading


class MissingCheck:
    """Looks for what is missing in one reading of the engine."""

    def __init__(self, before: Preflight, engine: Engine, *, deps: Deps) -> None:
        self._rules = before.engine
        self._engine = engine
        self._deps = deps
        self._wanted = _fixed_endpoints(before)

    def look(
        self, reading: EngineReading, running: Sequence[Container]
    ) -> tuple[MissingBinding, ...]:
        """Return what is missing in the containers that run."""
        return (
            *missing_bindings.not_listed(self._wanted, running),
            *self._not_listening(reading, running),
            *_without_network(reading, running),
        )

    def _not_listening(
        self, reading: EngineReading, running: Sequence[Container]
    ) -> tuple[MissingBinding, ...]:
        """Return the published ports without a listener in the kernel's socket table.

        This applies to an engine on this host with its userland proxy. The socket of an engine
        elsewhere may be forwarded here: then no port of the engine has a listener here, and
        nothing is missing.
        """
        rules = self._rules
        if rules.kind != "local" or not rules.userland_proxy or sys.platform != "linux":
            return ()
        needed = missing_bindings.to_be_heard(self._wanted, running)
        host = self._deps.host()
        try:
            if not needed or self._forwards_all(needed, host):
                return ()
            published = _published(reading.containers())
            rows = host.listening({endpoint.port for endpoint in published}, owners=True)
        except DartsctlError as error:
            self._deps.screen.detail(
                f"skipped the check that published ports have a listener: {error.message}"
            )
            return ()
        if not _is_heard(published, rows, host):
            return ()
        return missing_bindings.not_listening(
            self._wanted, running, rows, is_engines=lambda pid: _may_be_engine(pid, host)
        )

    def _forwards_all(self, needed: Collection[Endpoint], host: Host) -> bool:
        """Return whether the engine's own processes surely listen on every one of these ports.

        Only if not, the owners of all sockets are looked for: that takes long.
        """
        control = self._engine.control()
        pid = control.pid() if control else None
        if pid is None:
            return False
        rows = host.listening({endpoint.port for endpoint in needed})
        forwarded = host.forwarded(rows, pid)
        return all(any(row.overlaps(endpoint) for row in forwarded) for endpoint in needed)


def _without_network(
    reading: EngineReading, running: Sequence[Container]
) -> tuple[MissingBinding, ...]:
    missing = []
    for container in running:
        inspected = reading.inspect(container.id)
        if inspected and inspected.facts.runs and not inspected.has_network:
            kind = MissingKind.NO_NETWORK
            missing.append(MissingBinding(container.service, container.name, kind))
    return tuple(missing)


def _published(containers: Sequence[Container]) -> set[Endpoint]:
    published: set[Endpoint] = set()
    for container in containers:
        if container.holds_ports:
            published.update(container.published)
    return published


def _is_heard(published: Collection[Endpoint], rows: Sequence[Listener], host: Host) -> bool:
    """Return whether the engine has a listener on this host for any port that it publishes."""
    for row in rows:
        if any(row.overlaps(endpoint) for endpoint in published) and (
            not row.pids or any(_may_be_engine(pid, host) for pid in row.pids)
        ):
            return True
    return False


def _may_be_engine(pid: int, host: Host) -> bool:
    """Return whether a listener's process may belong to the engine: hidden ones count as such."""
    process = host.describe(pid)
    return process is None or host.is_forwarder(process)


def _fixed_endpoints(before: Preflight) -> dict[str, list[Endpoint]]:
    """Return what each service must have bound: fixed ports, without those that were uncertain."""
    wanted: dict[str, list[Endpoint]] = {}
    for verdict in before.verdicts.bindings:
        binding = verdict.binding
        if binding.on_host:
            continue
        if verdict.verdict is not Verdict.UNCERTAIN and not binding.is_range:
            for port in binding.numbers:
                wanted.setdefault(binding.service, []).extend(binding.endpoints(port))
    return wanted
