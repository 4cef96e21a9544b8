"""The settings, read again when SIGHUP asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.errors import DartsctlError
from dartsctl.records import record
from dartsctl.workflows.watch.signals import Note

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from dartsctl.workflows.watch.channels import Destinations
    from dartsctl.workflows.watch.ending import Ending
    from dartsctl.workflows.watch.request import WatchRequest
    from dartsctl.workflows.watch.signals import Emit

_PAUSE = 0.25
"""Seconds after which it is seen that the watch ends."""


@record(frozen=False)
class SettingsSource:
    """Reads the settings again, and has the watch start anew with other ones.

    A file that is broken is said; the settings in use stay.
    """

    request: WatchRequest
    ending: Ending
    clock: Callable[[], float]
    destinations_of: Callable[[WatchRequest], Destinations]
    """Checks the URLs, also of variables and files that have changed. Raises DartsctlError."""
    destinations: Destinations
    """Those in use."""
    name: str = "settings"
    changed: tuple[WatchRequest, Destinations] | None = None

    @property
    def latest(self) -> WatchRequest:
        """What the next round of the watch takes."""
        return self.changed[0] if self.changed else self.request

    @property
    def latest_destinations(self) -> Destinations:
        return self.changed[1] if self.changed else self.destinations

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Wait for SIGHUP until `stop` is set."""
        while not stop.is_set():
            if self.ending.reload.wait(_PAUSE):
                self.ending.reload.clear()
                emit(Note(self._read(), self.clock()))

    def _read(self) -> str:
        """Read the settings again. Return what came of it."""
        try:
            latest = self.request.reload()
            destinations = self.destinations_of(latest)
        except DartsctlError as error:
            return f"the settings were not read again: {error.message}; those in use stay"
        if latest.is_like(self.request) and destinations == self.destinations:
            return "the settings were read again: nothing has changed"
        self.changed = (latest, destinations)
        self.ending.begin_again()
        return "the settings were read again"
