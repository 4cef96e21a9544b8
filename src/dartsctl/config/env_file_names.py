"""The env files of an environment: those of the settings, else those with a conventional name."""

from __future__ import annotations

import os

from dartsctl.config.compose_variables import PRODUCTION_ENV_FILES
from dartsctl.config.conventional_files import ENV_FILES
from dartsctl.config.existing_file import existing
from dartsctl.config.settings import PRODUCTION, Settings, environment_key
from dartsctl.errors import Refused
from dartsctl.text.phrases import shell_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def env_files_of(settings: Settings, name: str, files: Sequence[Path]) -> tuple[Path, ...]:
    """Return the env files of an environment with these Compose files; a later one wins.

    Without settings, they are in the project's folder, and beside the first Compose file, where
    Compose itself looks for `.env`. Raises UsageError for a file that cannot be used, Refused for
    one that is not trusted, and where production's settings name one that is missing.
    """
    configured = settings.environments[name].env_files
    if configured is None:
        configured = _conventional(settings, name, files)
    origin = settings.origin(*environment_key(name, "env_files"))
    for file in configured:
        if name == PRODUCTION and not file.exists():
            raise missing_env_file(file)
        settings.trust.require(file)
    return tuple(existing(file, origin) for file in configured)


def unusual_env_files(settings: Settings, name: str, env_files: Sequence[Path]) -> str:
    """Return production's env file for display, if neither settings nor its name announce it."""
    if name != PRODUCTION or settings.environments[name].env_files is not None:
        return ""
    names = [os.path.relpath(file, settings.root) for file in env_files]
    return "" if names == [ENV_FILES[name]] else ", ".join(names)


def _conventional(settings: Settings, name: str, files: Sequence[Path]) -> tuple[Path, ...]:
    folders = [settings.root]
    if files and files[0].parent != settings.root:
        folders.append(files[0].parent)
    if name == PRODUCTION:
        for own in PRODUCTION_ENV_FILES:
            for folder in folders:
                if os.path.lexists(folder / own):
                    return (folder / own,)
    shared = ENV_FILES["dev"]
    if name not in ENV_FILES:
        shared = f".env.{name}"
    return tuple(folder / shared for folder in folders if _is_there(folder / shared))


def _is_there(file: Path) -> bool:
    """Return whether there is an env file; a virtual environment may have the same name."""
    return file.exists() and not file.is_dir()


class ProductionFileMissing(Refused):
    """Production's env file is missing."""


def missing_env_file(file: Path, variables: Sequence[str] = ()) -> Refused:
    """Return the error about production's env file; `variables` are what the files need of it.

    Without it, Compose would insert empty values, or those of development.
    """
    if file.is_symlink():
        return ProductionFileMissing(
            f"production's env file is a broken symbolic link: {file}",
            hint=shell_command("ls", "-l", file),
        )
    example = file.with_name(file.name + ".example")
    details = ["`dartsctl init` creates it with new secrets"]
    if example.exists():
        details = [
            f"`dartsctl init` creates it from {example.name}, with new secrets",
            "by hand: " + shell_command("cp", example, file),
        ]
    if variables:
        details.insert(0, f"nothing sets {', '.join(variables)}")
    return ProductionFileMissing(
        f"production's env file is missing: {file}", details=tuple(details), hint="dartsctl init"
    )
