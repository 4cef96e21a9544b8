"""The Compose files of a stack: which ones Compose picks, and which ones two stacks share."""

from __future__ import annotations

import os
import re
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

COMPOSE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
"""The files that Compose picks in a folder, in its order."""

OVERRIDE_NAMES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
"""The files that Compose merges over the first one, whatever its name, in its order."""

_PATH_MAX = 4096
_MOST_NAMED = 50


def in_folder(folder: Path) -> tuple[Path, ...]:
    """Return the files that Compose picks in `folder`; empty if it has none."""
    names = [name for name in (*COMPOSE_NAMES, *OVERRIDE_NAMES) if is_file(folder / name)]
    return tuple(folder / name for name in defaults_among(names))


def defaults_among(names: Collection[str]) -> tuple[str, ...]:
    """Return the files of a folder that Compose picks by itself, from all its names."""
    first = _first_of(COMPOSE_NAMES, names)
    if first is None:
        return ()
    override = _first_of(OVERRIDE_NAMES, names)
    if override is None:
        return (first,)
    return (first, override)


def find_upwards(folder: Path) -> tuple[Path, ...]:
    """Return the files that Compose picks in `folder`, or in the nearest parent that has any."""
    for place in (folder, *folder.parents):
        files = in_folder(place)
        if files:
            return files
    return ()


def picked(folder: Path, environ: Mapping[str, str], named: str = "") -> tuple[Path, ...]:
    """Return the files that Compose picks by itself: COMPOSE_FILE's, else those that it finds.

    `named` is COMPOSE_FILE as an env file sets it; the variable itself goes before it. Relative
    paths start at `folder`.
    """
    text = environ.get("COMPOSE_FILE") or named
    if not text:
        return find_upwards(folder)
    separator = environ.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
    return tuple(Path(os.path.normpath(folder / name)) for name in text.split(separator) if name)


def identities(files: Iterable[str]) -> frozenset[str]:
    """Return the real paths of files.

    A text that cannot be a path stays as it is: labels may contain anything.
    """
    return frozenset(map(_real_path, set(files)))


def without_overrides(files: Iterable[str], project: str) -> Iterator[str]:
    """Yield the files without dartsctl's overrides of the project.

    Those are `overrides/PROJECT.yml` and `overrides/PROJECT.SERVICE.yml`.
    """
    for file in files:
        path = Path(file)
        is_override = (
            path.parent.name == "overrides"
            and path.suffix == ".yml"
            and path.name.startswith(f"{project}.")
        )
        if not is_override:
            yield file


def _first_of(wanted: Iterable[str], names: Collection[str]) -> str | None:
    for name in wanted:
        if name in names:
            return name
    return None


def is_file(file: Path) -> bool:
    """Return whether there is a file; False in a folder without access."""
    return os.path.isfile(file)  # noqa: PTH113 - Path.is_file raises for a folder without access


def _real_path(file: str) -> str:
    if len(file) >= _PATH_MAX:
        return file
    try:
        return os.path.realpath(file)
    except ValueError:  # a NUL, or characters that no file name has
        return file


def named_inside(texts: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the files that Compose files name for `include` and `extends`, by their paths."""
    paths: dict[Path, None] = {}
    for file, text in texts.items():
        for path in re.findall(r"[^\s\"'\[\]{},]+\.ya?ml\b", text):
            paths[Path(os.path.normpath(Path(file).parent / path))] = None
    return tuple(path for path in paths if str(path) not in texts)[:_MOST_NAMED]
