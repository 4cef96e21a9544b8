"""The command line of `dartsctl check` for Compose files, as hints show it."""

from __future__ import annotations

from pathlib import Path

from dartsctl.text.phrases import shell_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.config.environment import Environment


def check_command(
    environment: Environment, files: Sequence[Path], services: Sequence[str] = ()
) -> str:
    """Return `dartsctl check` for `files`, with the environment's other options."""
    words: list[object] = []
    for file in files:
        words += ["--file", typed(file)]
    for file in environment.env_files:
        words += ["--env-file", typed(file)]
    if environment.project:
        words += ["--project", environment.project]
    for profile in environment.profiles:
        words += ["--profile", profile]
    return shell_command("dartsctl", "check", *words, *services)


def typed(file: Path) -> Path:
    """Return a path as it is typed in the working folder: relative, if it is below."""
    try:
        return file.relative_to(Path.cwd())
    except (OSError, ValueError):  # no working folder, or a file outside of it
        return file
