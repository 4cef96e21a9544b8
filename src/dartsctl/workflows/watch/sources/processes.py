"""The source that sees first when a container ends: the kernel, by its first process.

It only shows and asks for a look. What the end means is what the engine's events say of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.edges.host.first_process import FirstProcesses
from dartsctl.workflows.watch.signals import LookWanted, Noticed

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from dartsctl.edges.host.running import RunningContainer, RunningContainers
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.known import Known
    from dartsctl.workflows.watch.request import WatchRequest
    from dartsctl.workflows.watch.signals import Emit

_CONFIRM_WITHIN = 1.0
"""Seconds until a look is asked for although no event has confirmed the end."""
_STOP_WITHIN = 0.8


class ProcessSource:
    """One pidfd for each running container, one thread for all."""

    name = "processes"

    def __init__(
        self,
        running: RunningContainers,
        *,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        detail: Callable[[str], None],
        watch: Callable[[], FirstProcesses] = FirstProcesses,
    ) -> None:
        """`detail`: shows a line with --verbose."""
        self._watch = watch
        self._running = running
        self._clock = clock
        self._monotonic = monotonic
        self._detail = detail
        self._watched: dict[str, RunningContainer] = {}
        self._refused: set[RunningContainer] = set()
        self._has_said = False
        self._ended: dict[RunningContainer, float] = {}
        """When the process of a container ended whose event has not come yet."""

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Watch until `stop` is set."""
        try:
            processes = self._watch()
        except OSError as error:
            self._say_why(error)
            return
        self._running.changed = processes.wake
        try:
            while not stop.is_set():
                self._arm(processes)
                for container in processes.wait(_STOP_WITHIN):
                    self._notice(container, emit)
                self._confirm(emit)
        finally:
            self._running.changed = lambda: None
            processes.close()

    def _arm(self, processes: FirstProcesses) -> None:
        """Watch what runs now, and nothing else."""
        rows = self._running.now()
        for container in self._watched.keys() - rows.keys():
            processes.remove(container)
            del self._watched[container]
        for container, row in rows.items():
            if self._watched.get(container) == row or row in self._refused:
                continue
            self._watched[container] = row
            try:
                processes.add(container, row.pid)
            except OSError as error:
                self._say_why(error)
                self._refused.add(row)
        self._refused &= set(rows.values())

    def _notice(self, container: str, emit: Emit) -> None:
        row = self._watched[container]
        emit(Noticed("process", row.service, "its first process ended", self._clock()))
        self._ended[row] = self._monotonic()

    def _confirm(self, emit: Emit) -> None:
        """Ask for a look where the engine says nothing. With the event its own source does."""
        rows = self._running.now()
        for row, when in list(self._ended.items()):
            if rows.get(row.id) != row:
                del self._ended[row]
            elif self._monotonic() - when >= _CONFIRM_WITHIN:
                del self._ended[row]
                emit(LookWanted(f"the first process of {row.service} ended"))

    def _say_why(self, error: OSError) -> None:
        """Say why a process is not watched, the first time."""
        if not self._has_said:
            self._has_said = True
            self._detail(f"the ends of containers are seen by the engine's events only: {error}")


def make(_request: WatchRequest, known: Known, deps: Deps) -> ProcessSource:
    """Return the source."""
    return ProcessSource(
        known.running, clock=deps.now, monotonic=deps.monotonic, detail=deps.screen.detail
    )
