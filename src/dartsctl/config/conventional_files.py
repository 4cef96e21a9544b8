"""The Compose files of an environment where the settings name none: picked, or an error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from dartsctl.config import conventional_names
from dartsctl.config.check_command import typed
from dartsctl.config.conventional_names import Pick
from dartsctl.config.listing import have_includes, names_in, profiles_mentioned
from dartsctl.config.settings import PRODUCTION, Settings, environment_table
from dartsctl.config.stacks_here import named_for_dev
from dartsctl.errors import Advice, UsageError
from dartsctl.text.phrases import listed, shell_command

ENV_FILES: Mapping[str, str] = {"dev": ".env", PRODUCTION: ".env.production"}
"""The env file without `env_files` in the settings; .env.NAME for other environments."""

Complete = Callable[[tuple[Path, ...]], bool]
"""Returns whether Compose can read these files together, without another one."""

_MOST_LISTED = 6


def pick_files(settings: Settings, name: str, is_complete: Complete) -> Pick:
    """Return the Compose files that belong to an environment by COMPOSE_FILE, else by their names.

    They are relative to the root.
    """
    root = settings.root
    variables = settings.compose[name]
    if variables.files:
        _require_local(variables.files)
        return Pick(variables.files, is_plain=True, origin="COMPOSE_FILE")

    def are_complete(files: tuple[str, ...]) -> bool:
        return is_complete(tuple(root / file for file in files))

    dev_files = _dev_files(settings)
    return conventional_names.pick(name, names_in(root), are_complete, dev_files=dev_files)


def _require_local(files: Iterable[str]) -> None:
    """Raise UsageError for what only Compose itself reads: the standard input, and addresses."""
    for file in files:
        if file == "-" or "://" in file:
            raise UsageError(
                f"COMPOSE_FILE: not a file on this machine: {file}",
                hint=Advice("name local files in COMPOSE_FILE, or unset it"),
            )


def likely_files(settings: Settings, name: str) -> tuple[Path, ...]:
    """Return the files that may belong to an environment, without asking Compose anything."""
    names = names_in(settings.root)
    files = settings.compose[name].files or conventional_names.specific_files(name, names)
    if not files and name == "dev":
        files = conventional_names.plain_files(names)
    elif not files and name == PRODUCTION:
        files = conventional_names.plain_of_production(names, _dev_files(settings))
    return tuple(settings.root / file for file in files)


def _dev_files(settings: Settings) -> tuple[str, ...]:
    dev = settings.environments["dev"]
    return named_for_dev(settings.root, dev.files, settings.compose["dev"])


def plain_file(settings: Settings) -> tuple[Path, ...]:
    """Return the plain file without its override, which is development's; none without one."""
    files = conventional_names.plain_files(names_in(settings.root))[:1]
    return tuple(settings.root / file for file in files)


def likely_profiles(name: str, files: Sequence[Path]) -> tuple[str, ...]:
    """Return the profiles of `files` that may mean an environment; Compose knows."""
    words = conventional_names.profile_words(name)
    if have_includes(files):
        return words
    return profiles_mentioned(files, words)


class CannotPick(UsageError):
    """Nothing says which Compose files belong to an environment."""


def cannot_pick(settings: Settings, name: str, pick: Pick) -> CannotPick:
    """Return the error of every verb that needs an environment's Compose files, and has none."""
    candidates = pick.candidates
    if candidates:
        names = [" + ".join(files) for files in candidates]
        problem = f"several Compose files for {name} in {settings.root}: {listed(names)}"
    else:
        problem = f"no Compose file for {name} in {settings.root}"
        candidates = conventional_names.may_be_meant(name, names_in(settings.root))
    if not candidates:
        advice = f"name one: files = [...] in [{_header(settings, name)}] of {settings.path}"
        if settings.source:  # `init` has found what there is
            return CannotPick(problem, hint=Advice(advice))
        advice = f"or {advice}"
        return CannotPick(problem, details=(advice,), hint="dartsctl init")
    return CannotPick(
        problem,
        details=(
            f"add to {settings.path}:",
            f"  [{_header(settings, name)}]",
            *_choices(candidates),
            "or check files without settings:",
        ),
        hint=_check(settings, candidates[0]),
    )


def nothing_picked(folder: Path) -> UsageError:
    """Return the error for a folder in which Compose by itself finds no file."""
    names = names_in(folder)
    if not names:
        return UsageError(
            f"no Compose file in {folder}", hint=Advice("name a file: dartsctl check -f FILE")
        )
    return UsageError(
        f"Compose picks none of the files in {folder} by itself: {listed(names)}",
        hint=shell_command("dartsctl", "check", "-f", typed(folder / names[0])),
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
