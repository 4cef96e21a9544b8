"""App: what is known about the app that a host server runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.records import record

if TYPE_CHECKING:
    from pathlib import Path

    from dartsctl.discovery.app.app_service import AppService, Place
    from dartsctl.discovery.app.entry import EntryPoint
    from dartsctl.discovery.app.entry_point import EntryChoice
    from dartsctl.discovery.app.sources import Sources
    from dartsctl.discovery.stack_facts import StackFacts

APPS_ENV_FILES = (".flaskenv", ".env")
"""The env files that an app, or flask, loads by itself."""


def _nowhere(_service: str, _key: str) -> str:
    return ""


@record
class App:
    """The app of a project: its folder and files, how it is started, and the service that runs it.

    `services` are all services that are built from its folder.
    """

    folder: Path
    sources: Sources
    choice: EntryChoice
    services: tuple[AppService, ...] = ()
    service: AppService | None = None
    stack: StackFacts | None = None
    """The stack of these services."""
    place: Place = _nowhere
    """Where a key of a service stands."""
    others: tuple[Path, ...] = ()
    """The folders of several apps, none of which is more likely than the others."""

    @property
    def entry(self) -> EntryPoint | None:
        return self.choice.chosen

    @property
    def port(self) -> int:
        """The port on which the app listens without settings; Flask's if that is not seen."""
        if self.entry is not None and self.entry.own_port.isdecimal():
            return int(self.entry.own_port)
        return 5000

    @property
    def files(self) -> tuple[str, ...]:
        """The Python files that the app consists of, below its folder."""
        if self.entry is None:
            return ()
        sources = self.sources
        if self.entry.directory:
            inner = sources.below(self.entry.directory).reachable(self.entry.file)
            return tuple(f"{self.entry.directory}/{path}" for path in inner)
        return sources.reachable(self.entry.file)
