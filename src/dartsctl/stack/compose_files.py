"""Which Compose files make up a stack: those that Compose picks by itself, and those that two stacks have in common."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

COMPOSE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
"""What Compose picks in a folder, in its order."""

OVERRIDE_NAMES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
"""What Compose merges over it, whatever the first file is called, in its order."""


_LONGEST = 4096  # PATH_MAX


def in_folder(folder: Path) -> tuple[Path, ...]:
    """Return the files that Compose picks in `folder`; nothing where it has none."""
    first = _first(folder, COMPOSE_NAMES)
    override = _first(folder, OVERRIDE_NAMES)
    if first is None:
        return ()
    return (first, override) if override else (first,)


def found_from(folder: Path) -> tuple[Path, ...]:
    """Return the files that Compose finds from `folder`: its own, else those of the nearest folder above that has any."""
    return next((files for place in (folder, *folder.parents) if (files := in_folder(place))), ())


def named_by(text: str, folder: Path, separator: str) -> tuple[Path, ...]:
    """Return the files of a COMPOSE_FILE variable; relative paths begin at `folder`."""
    return tuple(Path(os.path.normpath(folder / name)) for name in text.split(separator) if name)


def identities(files: Iterable[str]) -> frozenset[str]:
    """Return the files by their real paths. What cannot be a path (a label says anything) stays as it is written."""
    return frozenset(_real(file) for file in set(files))


def own_files(files: Iterable[str], project: str) -> Iterator[str]:
    """Yield the files without what dartsctl lays over them: `overrides/PROJECT.yml`, `overrides/PROJECT.SERVICE.yml`."""
    for file in files:
        path = Path(file)
        is_override = (
            path.parent.name == "overrides"
            and path.suffix == ".yml"
            and path.name.startswith(f"{project}.")
        )
        if not is_override:
            yield file


def _first(folder: Path, names: Iterable[str]) -> Path | None:
    found = (folder / name for name in names)
    return next((file for file in found if os.path.isfile(file)), None)  # noqa: PTH113 - Path's raises where a folder is closed to us


def _real(file: str) -> str:
    try:
        return os.path.realpath(file) if len(file) < _LONGEST else file
    except ValueError:  # a NUL, or characters that no file name has
        return file
