"""The containers of a project as the engine describes them, for the comparison with its events."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from dartsctl.alerts.container_events import needed_services
from dartsctl.alerts.container_life import Snapshot
from dartsctl.text.numbers import parse_digits

if TYPE_CHECKING:
    from dartsctl.diagnosis.inspection import Inspection
    from dartsctl.edges.engine.protocol import EngineControl
    from dartsctl.stack.containers import Container

_STOP_TIMEOUT = 10.0
"""Seconds: the engine's default."""
_UNLIMITED = 86_400.0


class Snapshots:
    """Asks for them. Every method raises DockerUnavailable if the engine does not answer."""

    def __init__(self, control: EngineControl, project: str) -> None:
        self._control = control
        self._project = project
        self._needed: frozenset[str] = frozenset()
        self._rows: dict[str, Container] = {}

    def all(self) -> list[Snapshot]:
        """Return all containers of the project that are not one-offs."""
        self._rows = {}
        for row in self._control.containers():
            if row.belongs_to(self._project):
                self._rows[row.id] = row
        self._needed = needed_services([row.dependencies for row in self._rows.values()])
        snapshots = (self.of(container) for container in list(self._rows))
        return [snapshot for snapshot in snapshots if snapshot is not None]

    def of(self, container: str, service: str = "") -> Snapshot | None:
        """Return one container, None if it is gone."""
        inspection = self._control.inspect(container)
        if inspection is None:
            return None
        if row := self._rows.get(container):
            service = row.service
        return _snapshot(inspection, service, is_needed=self._is_needed(inspection, service))

    def _is_needed(self, inspection: Inspection, service: str) -> bool:
        """Whether it should run all the time, as far as its own description says."""
        return bool(inspection.facts.wanted) or service in self._needed


def _snapshot(inspection: Inspection, service: str, *, is_needed: bool) -> Snapshot:
    facts = inspection.facts
    timeout = inspection.stop_timeout
    seconds = _STOP_TIMEOUT
    if timeout is not None:
        seconds = float(timeout)
    if seconds < 0:
        seconds = _UNLIMITED
    return Snapshot(
        id=facts.id,
        name=facts.name,
        service=service,
        state=facts.state,
        started=facts.started,
        finished=facts.finished,
        exit_code=facts.exit_code,
        oom_killed=facts.oom_killed,
        restart_count=facts.restart_count,
        restart_policy=facts.restart_policy,
        stop_signal=signal_number(inspection.stop_signal),
        stop_timeout=seconds,
        is_needed=is_needed or bool(facts.health),
        pid=facts.pid,
    )


def signal_number(name: str) -> int:
    """Return the number of `SIGQUIT`, `QUIT`, `3` or `SIGRTMIN+3`; SIGTERM for anything else."""
    number = parse_digits(name, 64)
    if number is not None:
        return number or signal.SIGTERM
    base, _, offset = name.upper().removeprefix("SIG").partition("+")
    if base == "RTMIN" and hasattr(signal, "SIGRTMIN"):
        return int(signal.SIGRTMIN) + (parse_digits(offset, 30) or 0)
    try:
        return signal.Signals[f"SIG{base}"]
    except KeyError:
        return signal.SIGTERM
