"""The containers that run now: the engine's events write them, and their processes are watched."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from dartsctl.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@record
class RunningContainer:
    """A container, and its first process as the engine numbers it."""

    id: str
    service: str
    pid: int


class RunningContainers:
    """By id. May be used in any thread; `changed` is called after every change."""

    def __init__(self) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._rows: dict[str, RunningContainer] = {}
        self._lock = threading.Lock()

    def started(self, row: RunningContainer) -> None:
        """Add a container, or its next process."""
        with self._lock:
            if self._rows.get(row.id) == row:
                return
            self._rows[row.id] = row
        self.changed()

    def ended(self, container: str) -> None:
        """The engine says that it has ended, or is gone."""
        with self._lock:
            row = self._rows.pop(container, None)
        if row:
            self.changed()

    def now(self) -> Mapping[str, RunningContainer]:
        """Return them all."""
        with self._lock:
            return dict(self._rows)
