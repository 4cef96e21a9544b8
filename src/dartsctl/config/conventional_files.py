"""The Compose files of an environment where the settings name none: found, picked, or an error."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from dartsctl.config import conventional_names
from dartsctl.config.check_command import typed
from dartsctl.config.conventional_names import PLACES, Pick
from dartsctl.config.settings import PRODUCTION, Settings, environment_table
from dartsctl.errors import DartsctlError, UsageError
from dartsctl.system import bounded_file
from dartsctl.text.phrases import listed, shell_command

ENV_FILES: Mapping[str, str] = {"dev": ".env", PRODUCTION: ".env.production"}
"""The env file without `env_files` in the settings; .env.NAME for other environments."""

Complete = Callable[[tuple[Path, ...]], bool]
"""Returns whether Compose can read these files together, without another one."""

_MOST_LISTED = 6
_LOOKS_LIKE_COMPOSE = re.compile(r"^(?:services|include):", re.MULTILINE)


def names_in(root: Path) -> tuple[str, ...]:
    """Return the names of the Compose files in a project's folder, and in the folders for them.

    They are relative to `root`. A file such as `production.yml` counts if its text is a Compose
    file's.
    """
    names: list[str] = []
    for place in PLACES:
        for file in _yaml_files(root / place):
            name = f"{place}/{file}" if place else file
            if _is_compose_file(root, name):
                names.append(name)
    return tuple(names)


def _is_compose_file(root: Path, name: str) -> bool:
    if conventional_names.is_compose_name(name):
        return True
    return conventional_names.may_be_bare(name) and _has_services(root / name)


def pick_files(settings: Settings, name: str, is_complete: Complete) -> Pick:
    """Return the Compose files that belong to an environment by their names, from the root."""
    root = settings.root

    def are_complete(files: tuple[str, ...]) -> bool:
        return is_complete(tuple(root / file for file in files))

    return conventional_names.pick(name, names_in(root), are_complete)


def conventional_files(settings: Settings, name: str, is_complete: Complete) -> tuple[Path, ...]:
    """Return the same files as paths.

    Raises UsageError, with the lines to write, where the names fit none, or do not decide.
    """
    pick = pick_files(settings, name, is_complete)
    if not pick.files:
        raise cannot_pick(settings, name, pick)
    return tuple(settings.root / file for file in pick.files)


def likely_files(settings: Settings, name: str) -> tuple[Path, ...]:
    """Return the files that may belong to an environment, without asking Compose anything."""
    names = names_in(settings.root)
    files = conventional_names.specific_files(name, names)
    if not files and name == "dev":
        files = conventional_names.plain_files(names)
    return tuple(settings.root / file for file in files)


def cannot_pick(settings: Settings, name: str, pick: Pick) -> UsageError:
    """Return the error of every verb that needs an environment's Compose files, and has none."""
    candidates = pick.candidates
    if candidates:
        names = [" + ".join(files) for files in candidates]
        problem = f"several Compose files for {name} in {settings.root}: {listed(names)}"
    else:
        problem = f"no Compose file for {name} in {settings.root}"
        candidates = conventional_names.may_be_meant(name, names_in(settings.root))
    if not candidates:
        advice = f"or name one: files = [...] in [{_header(settings, name)}] of {settings.path}"
        return UsageError(problem, details=(advice,), hint="dartsctl init")
    return UsageError(
        problem,
        details=(
            f"add to {settings.path}:",
            f"  [{_header(settings, name)}]",
            *_choices(candidates),
            "or check files without settings:",
        ),
        hint=_check(settings, candidates[0]),
    )


def _choices(candidates: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines to paste, of which one is needed."""
    lines: list[str] = []
    for files in candidates[:_MOST_LISTED]:
        quoted = ", ".join(f'"{file}"' for file in files)
        lines.append(f"  files = [{quoted}]   # or")
    lines[-1] = lines[-1].removesuffix("   # or")
    more = len(candidates) - _MOST_LISTED
    if more > 0:
        lines.append(f"  # or one of {more} more")
    return lines


def _check(settings: Settings, files: Iterable[str]) -> str:
    words: list[object] = []
    for file in files:
        words += ["-f", typed(settings.root / file)]
    return shell_command("dartsctl", "check", *words)


def _header(settings: Settings, name: str) -> str:
    header = ".".join(environment_table(name))
    if settings.path.name == "pyproject.toml":
        return f"tool.dartsctl.{header}"
    return header


def _yaml_files(folder: Path) -> list[str]:
    """Return the names of a folder's YAML files; none where it cannot be listed."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names are wanted, not paths
    except OSError:
        return []
    yaml = [name for name in sorted(names) if name.lower().endswith((".yml", ".yaml"))]
    return [name for name in yaml if (folder / name).is_file()]


def _has_services(file: Path) -> bool:
    with suppress(OSError, DartsctlError, UnicodeDecodeError):
        text = bounded_file.read_text(file, limit=bounded_file.COMPOSE_LIMIT)
        return _LOOKS_LIKE_COMPOSE.search(text) is not None
    return False
