"""Whether a service has data already: then its password is the one that the data was made with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dartsctl.errors import DartsctlError
from dartsctl.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dartsctl.discovery.written_model import WrittenService
    from dartsctl.edges.engine.protocol import Engine
    from dartsctl.stack.containers import Container
    from dartsctl.workflows.deps import Deps

UNKNOWN = "no Docker engine answers"


@record
class StackIdentity:
    """The names under which a stack may have run, and the folders from which."""

    projects: frozenset[str]
    folders: frozenset[str]

    def includes(self, container: Container) -> bool:
        """Return whether a container is this stack's, and not another folder's of that name."""
        is_here = os.path.realpath(container.working_dir) in self.folders
        return is_here and container.project in self.projects


def existing_data(service: WrittenService, stack: StackIdentity, deps: Deps) -> str:
    """Return what of a service exists, in words: `volume shop_data`; empty if nothing does.

    UNKNOWN where no engine answers.
    """
    for place in service.data:
        if place.folder and _has_content(place.folder):
            return f"folder {place.folder}"
    try:
        return next(_on_engine(deps.engine(), service, stack), "")
    except DartsctlError:
        return UNKNOWN


def _on_engine(engine: Engine, service: WrittenService, stack: StackIdentity) -> Iterator[str]:
    for container in engine.containers():
        if container.service == service.name and stack.includes(container):
            yield f"container {container.name}"
    control = engine.control()
    if control is None:
        if service.data:
            yield UNKNOWN
        return
    for volume in dict.fromkeys(_volumes(service, stack.projects)):
        if control.has_volume(volume):
            yield f"volume {volume}"


def _volumes(service: WrittenService, projects: frozenset[str]) -> Iterator[str]:
    """Yield the engine's names of the volumes, under each name of the project."""
    for place in service.data:
        if not place.volume:
            continue
        yield place.volume
        for project in projects:
            if place.volume.startswith(f"{project}_"):
                key = place.volume.removeprefix(f"{project}_")
                for other in projects:
                    yield f"{other}_{key}"


def _has_content(folder: Path) -> bool:
    """Whether a folder has files. One that may not be read belongs to somebody: it has data."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except PermissionError:
        return True
    except OSError:
        return False
