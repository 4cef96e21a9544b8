"""The Compose files that are in a project's folder, by their names and what they mention."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

from dartsctl.config import conventional_names
from dartsctl.config.conventional_names import PLACES
from dartsctl.stack.compose_files import is_file
from dartsctl.system import bounded_file
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LOOKS_LIKE_COMPOSE = regex(r"(?m)^(?:services|include):")
_TOP_LEVEL = regex(r"(?m)^([\w.-]+)[ \t]*:")
_OVERLAY_KEYS = frozenset(("version", "name", "volumes", "networks", "secrets", "configs"))
_INCLUDE = regex(r"(?m)^include:")
_PROFILES = regex(r"profiles[\"']?[ \t]*:([ \t]*\[[^]]*\]|[^\n]*(?:\n[ \t]*-[^\n]*)*)")
_PROJECT_NAME = regex(r"""(?m)^name:[ \t]*(["']?)(?P<name>[a-z0-9][a-z0-9_-]*)\1[ \t]*(?:#.*)?$""")


def names_in(root: Path) -> tuple[str, ...]:
    """Return the names of the Compose files in a project's folder, and in the folders for them.

    They are relative to `root`. A file such as `production.yml` counts if its text is a Compose
    file's: it has services, or nothing but what an overlay for their volumes and networks has.
    """
    listed: dict[str, list[str]] = {"": _listed(root)}
    names: list[str] = []
    for place in PLACES:
        above, _, last = place.rpartition("/")
        if place and last not in listed.get(above, ()):
            continue
        if place:
            listed[place] = _listed(root / place)
        for entry in listed[place]:
            name = f"{place}/{entry}" if place else entry
            if _is_compose_file(root, name):
                names.append(name)
    return tuple(names)


def bases_for(overlay: Path) -> tuple[Path, ...]:
    """Return the files over which `overlay` may be meant to be merged, the likeliest first.

    They are beside it, and in the folder above: `compose/prod.yml` often lies over `compose.yml`.
    """
    root, own = overlay.parent.parent, overlay.parent.name
    inside = [str(PurePosixPath(own, name)) for name in _listed(overlay.parent)]
    names = (*inside, *_listed(root))
    bases = conventional_names.bases_for(str(PurePosixPath(own, overlay.name)), names)
    return tuple(root / name for name in bases if is_file(root / name))


def profiles_mentioned(files: Iterable[Path], words: Sequence[str]) -> tuple[str, ...]:
    """Return those of `words` that the texts may define as profiles. Only Compose knows.

    Where none is mentioned, there is none, and Compose need not be asked.
    """
    mentioned: set[str] = set()
    for text in map(_text, files):
        for entry in _PROFILES.findall(text):
            mentioned.update(re.findall(r"[\w.-]+", entry))
    return tuple(word for word in words if word in mentioned)


def may_have_profiles(files: Iterable[Path]) -> bool:
    """Return whether services of the files may have profiles. Only Compose knows."""
    texts = [_text(file) for file in files]
    return any("profiles" in text or _INCLUDE.search(text) for text in texts)


def have_includes(files: Iterable[Path]) -> bool:
    """Return whether the files include others, whose profiles are not in their own text."""
    return any(_INCLUDE.search(text) for text in map(_text, files))


def project_name(files: Iterable[Path]) -> str:
    """Return the project name that the files give themselves, empty without a plain one.

    That of the last file counts, as in Compose.
    """
    name = ""
    for text in map(_text, files):
        if match := _PROJECT_NAME.search(text):
            name = match["name"]
    return name


def _is_compose_file(root: Path, name: str) -> bool:
    if not name.lower().endswith((".yml", ".yaml")):
        return False
    if conventional_names.is_compose_name(name):
        file = root / name
        # a broken link is what somebody has named so: it is picked, and told as broken
        return is_file(file) or _is_broken_link(file)
    if not conventional_names.may_be_bare(name):
        return False
    return _looks_like_compose(_text(root / name))


def _is_broken_link(file: Path) -> bool:
    """Return whether it is a link without a target; False in a folder without access."""
    try:
        return file.is_symlink() and not file.exists()
    except OSError:
        return False


def _looks_like_compose(text: str) -> bool:
    if _LOOKS_LIKE_COMPOSE.search(text):
        return True
    keys = set(_TOP_LEVEL.findall(text))
    return bool(keys & {"volumes", "networks"}) and keys <= _OVERLAY_KEYS


def _listed(folder: Path) -> list[str]:
    """Return the names in a folder; none where it cannot be listed."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names are wanted, not paths
    except OSError:
        return []


def _text(file: Path) -> str:
    """Return the text of a file, empty where it cannot be read: Compose says why."""
    return bounded_file.readable_text(file, limit=bounded_file.COMPOSE_LIMIT)
