"""The files that belong to an environment by their names, where the settings name none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dartsctl.config.check_command import typed
from dartsctl.config.settings import PRODUCTION, Settings, environment_table
from dartsctl.errors import Advice, UsageError
from dartsctl.stack import compose_files
from dartsctl.text.phrases import shell_command

CONVENTIONAL: Mapping[str, tuple[str, ...]] = {
    "dev": (
        "compose/dev",
        "compose.dev",
        "docker-compose-dev",
        "docker-compose.dev",
        "docker-compose-localhost",
    ),
    PRODUCTION: (
        "compose/prod",
        "compose.prod",
        "compose.production",
        "docker-compose-prod",
        "docker-compose-production",
        "docker-compose.prod",
        "docker-compose.production",
        "docker-compose-wso2",
    ),
}
"""The Compose files that are searched for without `files` in the settings, as .yml or .yaml."""

ENV_FILES: Mapping[str, str] = {"dev": ".env", PRODUCTION: ".env.production"}
"""The env file without `env_files` in the settings; .env.NAME for other environments."""


def conventional_names(name: str) -> tuple[str, ...]:
    """Return the Compose files that belong to an environment without settings, from the root."""
    names: list[str] = []
    for stem in _stems(name):
        names += [f"{stem}.yml", f"{stem}.yaml"]
    return tuple(names)


def _stems(name: str) -> tuple[str, ...]:
    return CONVENTIONAL.get(name) or (
        f"compose/{name}",
        f"compose.{name}",
        f"docker-compose-{name}",
        f"docker-compose.{name}",
    )


def conventional_files(settings: Settings, name: str) -> list[Path]:
    """Return those Compose files of an environment that exist."""
    files = [settings.root / file for file in conventional_names(name)]
    return [file for file in files if file.is_file()]


def conventional_file(settings: Settings, name: str) -> tuple[Path]:
    """Return the only file with a conventional name.

    Raises UsageError, with the lines to write, where there is none or several.
    """
    files = conventional_files(settings, name)
    names = [str(file.relative_to(settings.root)) for file in files]
    if len(files) == 1:
        settings.trust.require(files[0])
        return (files[0],)
    header = ".".join(environment_table(name))
    if settings.path.name == "pyproject.toml":
        header = f"tool.dartsctl.{header}"
    plain = [file.name for file in compose_files.in_folder(settings.root)]
    command = "dartsctl check" if plain else Advice("dartsctl check -f FILE")
    if names:
        command = shell_command("dartsctl", "check", "-f", typed(files[0]))
        problem = f"several Compose files for {name} in {settings.root}: {', '.join(names)}"
        lines = [f'  files = ["{file}"]   # or' for file in names]
        lines[-1] = lines[-1].removesuffix("   # or")
    else:
        problem = f"no Compose file for {name} in {settings.root}"
        lines = [
            f"  files = [{', '.join(map(_in_quotes, plain or ['PATH/TO/COMPOSE.yml']))}]",
            f"or rename the file to one of these, .yml or .yaml: {', '.join(_stems(name))}",
        ]
    lines.append("or check a file without settings:")
    raise UsageError(
        problem,
        details=(f"add to {settings.path}:", f"  [{header}]", *lines),
        hint=command,
    )


def _in_quotes(name: str) -> str:
    return f'"{name}"'
