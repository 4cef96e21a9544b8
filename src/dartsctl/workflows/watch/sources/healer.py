"""`--heal`: repairs what has an alert, as far as that needs nobody's decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.healing import Attempts, services_to_heal, still_counted
from dartsctl.errors import DartsctlError
from dartsctl.records import field, record
from dartsctl.workflows.watch.heal import heal
from dartsctl.workflows.watch.signals import LookWanted, Note

if TYPE_CHECKING:
    import threading

    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.known import Known
    from dartsctl.workflows.watch.request import WatchRequest
    from dartsctl.workflows.watch.signals import Emit

_PAUSE = 1.0
"""Seconds between two glances at the episodes."""
_LOOK_AGAIN = 15.0
"""Seconds until a service is examined again for which nothing could be done."""


def make(request: WatchRequest, known: Known, deps: Deps) -> Healer | None:
    """Return the source, if this watch is to heal."""
    if not request.settings.heal:
        return None
    return Healer(request, known, deps)


@record(frozen=False)
class Healer:
    """One attempt at a time. A cause that lasts is not tried: doctor then has no safe repair."""

    request: WatchRequest
    known: Known
    deps: Deps
    name: str = "heal"
    _attempts: dict[str, Attempts] = field(default_factory=dict)
    _wait_until: dict[str, float] = field(default_factory=dict)

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Heal until `stop` is set."""
        while not stop.wait(_PAUSE):
            self.turn(emit)

    def turn(self, emit: Emit) -> None:
        """Try what is due."""
        now = self.deps.now()
        self._attempts = still_counted(self._attempts, now)
        due = services_to_heal(self.known.state, self._attempts, now)
        due = frozenset(name for name in due if now >= self._wait_until.get(name, 0.0))
        if not due:
            return
        self._wait_until = dict.fromkeys(due, now + _LOOK_AGAIN)
        try:
            spared = self.known.state.stopped - due
            healing = heal(self.request, due, deps=self.deps, spared=spared)
        except DartsctlError:  # the looks meet the same, and say it
            return
        if healing is None:
            return
        now = self.deps.now()
        emit(healing.note(now))
        emit(LookWanted("something was repaired"))
        for service in healing.services:
            self._attempts[service] = self._attempts.get(service, Attempts()).after(now)
            if self._attempts[service].is_last:
                text = f"{service} is not healed again within the hour: it did not last"
                emit(Note(text, now, service=service))
