"""Which Compose files, env files and project name make up an environment, and how its host server is started (DESIGN 2)."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dartsctl.config.settings import PRODUCTION, Settings, environment_key
from dartsctl.config.trust import Trust
from dartsctl.config.values import check_project
from dartsctl.errors import Refused, UsageError
from dartsctl.stack import compose_files
from dartsctl.system import bounded_file
from dartsctl.text.phrases import did_you_mean, shell_command

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
"""The names that are looked for without `files` in the settings; each may end in .yml or .yaml."""

ENV_FILES: Mapping[str, str] = {"dev": ".env", PRODUCTION: ".env.production"}
"""The env file without `env_files` in the settings; another environment's is .env.NAME."""

ENTRY_POINTS = ("run.py", "app.py")


@dataclass(frozen=True, slots=True)
class Environment:
    """What Compose is called with. Paths are absolute; the files existed when this was made."""

    name: str
    files: tuple[Path, ...]
    """Empty: Compose picks its own (only from `adhoc`)."""
    env_files: tuple[Path, ...]
    """Empty: Compose reads a `.env` beside the first file, if there is one."""
    project: str | None
    """None: Compose derives it (only from `adhoc`)."""
    profiles: tuple[str, ...]
    directory: Path
    """The settings' folder. Compose resolves a file's relative paths from the first file's folder, not from here."""
    is_production: bool = False
    refuses_unsafe: bool = True
    """Whether weak secrets and bad certificates keep production from starting, or are only warned about."""
    project_named: bool = False
    """The project's name was given on the command line: then what runs under it is a stated wish."""
    siblings: frozenset[str] = frozenset()
    """The projects of the other environments of the settings."""
    has_copies: bool = False
    """Other checkouts run copies of this stack on purpose: those of production, and of files without settings, never do."""


@dataclass(frozen=True, slots=True)
class EnvValue:
    """One variable of an env file. The value stays out of every repr."""

    value: str = field(repr=False)
    file: Path
    line: int

    @property
    def origin(self) -> str:
        """`.env:3`"""
        return f"{self.file.name}:{self.line}"


def resolve(
    settings: Settings,
    name: str,
    *,
    files: Sequence[Path] = (),
    env_files: Sequence[Path] = (),
    project: str | None = None,
    profiles: Sequence[str] = (),
) -> Environment:
    """The environment `name`; what is passed in (flags, relative to the working folder) replaces what the settings say.

    Raises UsageError for an unknown environment, for a file that is not there, and where the conventional names give none or
    several; Refused where production's env file is not there, for the project name of another environment, and for an env file or
    a file with a conventional name that is not trusted.
    """
    if name not in settings.environments:
        raise _unknown(settings, name)
    configured = settings.environments[name]
    _refuse_anothers_project(settings, name, project)
    environment = Environment(
        name=name,
        files=_flagged(files, "--file")
        or _configured_files(settings, name)
        or _conventional_file(settings, name),
        env_files=_flagged(env_files, "--env-file") or _env_files(settings, name),
        project=configured.project
        if project is None
        else check_project(project, source="--project"),
        profiles=tuple(profiles) or configured.profiles,
        directory=settings.root,
        is_production=name == PRODUCTION,
        refuses_unsafe=configured.unsafe == "refuse",
        project_named=project is not None,
        siblings=frozenset(
            one.project for other, one in settings.environments.items() if other != name
        ),
        has_copies=name != PRODUCTION,
    )
    for file in default_env_files(environment):
        settings.trust.require(file)
    return _checked(environment)


def adhoc(
    *,
    files: Sequence[Path] = (),
    project: str | None = None,
    env_files: Sequence[Path] = (),
    profiles: Sequence[str] = (),
    directory: Path,
) -> Environment:
    """Any Compose files, without settings. Files are relative to the working folder; without any, Compose's own choice in `directory`.

    Raises UsageError for a file that is not there, and for a `directory` without Compose files.
    """
    folder = _absolute(directory)
    environment = Environment(
        name="adhoc",
        files=_flagged(files, "--file") or _compose_defaults(folder),
        env_files=_flagged(env_files, "--env-file"),
        project=None if project is None else check_project(project, source="--project"),
        profiles=tuple(profiles),
        directory=folder,
        project_named=project is not None,
    )
    return _checked(environment)


def default_env_files(environment: Environment) -> tuple[Path, ...]:
    """Return the `.env` files that Compose reads where none is named: the working folder's, and the one beside its first file."""
    if environment.env_files:
        return ()
    beside = environment.files[0].parent if environment.files else environment.directory
    found = [folder / ".env" for folder in (Path(), beside)]
    return tuple(file for file in found if os.access(file, os.F_OK) and not file.is_dir())


def python_for(*folders: Path, trust: Trust) -> str:
    """The interpreter of the first folder that has a virtual environment (.venv or venv), else the one that runs dartsctl.

    Pass the server's folder, then the settings' one. The path stays the environment's own: resolved, it would be the system's.
    Raises Refused for an environment that is not trusted.
    """
    for folder in folders:
        for environment in (".venv", "venv"):
            python = _absolute(folder) / environment / "bin" / "python"
            if python.is_file() and os.access(python, os.X_OK):
                trust.require(python.parents[1] / "pyvenv.cfg")
                return str(python)
    return sys.executable


def server_command(settings: Settings) -> tuple[str, ...]:
    """The host server's command, placeholders still in it: what the settings say, else run.py or app.py in the server's folder.

    Raises UsageError where the folder is not there, or nothing says what to start; Refused where the file that is found is not trusted.
    """
    server = settings.server
    if not server.directory.is_dir():
        raise UsageError(
            f"{settings.origin('server', 'directory')}: no folder {server.directory}",
            hint="name the folder of the app's source",
        )
    if server.command:
        return server.command
    found = next((name for name in ENTRY_POINTS if (server.directory / name).is_file()), None)
    if found is None:
        raise UsageError(
            f"nothing says how the server is started: no command in the settings, and no {' or '.join(ENTRY_POINTS)} in {server.directory}",
            details=(
                f"write into {_settings_path(settings)}:",
                "  [server]",
                '  command = ["{python}", "FILE.py"]',
            ),
            hint="or name it once: dartsctl run -- COMMAND...",
        )
    settings.trust.require(server.directory / found)
    return ("{python}", found)


def _checked(environment: Environment) -> Environment:
    for file in default_env_files(environment):
        _existing(file, "Compose's default env file")
    return environment


def _refuse_anothers_project(settings: Settings, name: str, project: str | None) -> None:
    """`dev up --project darts` would replace production's containers by the development's."""
    owner = next(
        (
            other
            for other, one in settings.environments.items()
            if other != name and one.project == project
        ),
        None,
    )
    if owner is not None:
        raise Refused(
            f"--project {project} is the project of {owner}; {name} must not replace its containers",
            hint=f"dartsctl {owner} --help",
        )


def _unknown(settings: Settings, name: str) -> UsageError:
    known = ", ".join(settings.environments)
    hint = did_you_mean(name, settings.environments) or (
        f"known: {known}; a new one is written [environment.{name}] in {_settings_path(settings)}"
    )
    return UsageError(f"there is no environment {name!r}", hint=hint)


def _configured_files(settings: Settings, name: str) -> tuple[Path, ...]:
    origin = settings.origin(*environment_key(name, "files"))
    return tuple(_existing(file, origin) for file in settings.environments[name].files)


def conventional_names(name: str) -> tuple[str, ...]:
    """The file names that make a file an environment's without settings, relative to the project's folder."""
    return tuple(stem + ending for stem in _stems(name) for ending in (".yml", ".yaml"))


def _stems(name: str) -> tuple[str, ...]:
    return CONVENTIONAL.get(name) or (
        f"compose/{name}",
        f"compose.{name}",
        f"docker-compose-{name}",
        f"docker-compose.{name}",
    )


def _conventional_file(settings: Settings, name: str) -> tuple[Path]:
    """The one file that has a conventional name; raises UsageError with the lines to write where that is not one."""
    found = [file for file in conventional_names(name) if (settings.root / file).is_file()]
    if len(found) == 1:
        settings.trust.require(settings.root / found[0])
        return (settings.root / found[0],)
    table = ".".join(environment_key(name, "")[:-1])
    if found:
        problem = f"several files in {settings.root} could be the {name} stack: {', '.join(found)}"
        lines = tuple(
            f'  files = ["{file}"]' + ("   # or" if file != found[-1] else "") for file in found
        )
    else:
        problem = f"no Compose file for {name} in {settings.root}"
        lines = (
            '  files = ["PATH/TO/COMPOSE.yml"]',
            f"or give the file one of these names, .yml or .yaml: {', '.join(_stems(name))}",
        )
    header = f"  [tool.dartsctl.{table}]" if _is_pyproject(settings) else f"  [{table}]"
    raise UsageError(
        problem,
        details=(f"write into {_settings_path(settings)}:", header, *lines),
        hint="dartsctl check -f FILE needs no settings",
    )


def _env_files(settings: Settings, name: str) -> tuple[Path, ...]:
    configured = settings.environments[name].env_files
    if configured is None:
        default = settings.root / ENV_FILES.get(name, f".env.{name}")
        if name != PRODUCTION and not default.exists():
            return ()
        configured = (default,)
    origin = settings.origin(*environment_key(name, "env_files"))
    for file in configured:
        if name == PRODUCTION and not file.exists():
            raise _production_needs(file)
        settings.trust.require(file)
    return tuple(_existing(file, origin) for file in configured)


def _production_needs(file: Path) -> Refused:
    """DESIGN 5: production's env file must exist; Compose would fill in nothing, or the development's values."""
    import shlex

    if file.is_symlink():
        return Refused(
            f"production needs {file}, which is a link to nothing",
            hint=f"ls -l {shlex.quote(str(file))}",
        )
    example = file.with_name(file.name + ".example")
    if example.exists():
        return Refused(
            f"production needs {file}, which is not there; {example.name} shows what goes into it",
            hint=f"dartsctl init makes it with new secrets; by hand: cp {shlex.quote(str(example))} {shlex.quote(str(file))}",
        )
    return Refused(
        f"production needs {file}, which is not there",
        hint="dartsctl init writes one with new secrets",
    )


def _compose_defaults(folder: Path) -> tuple[Path, ...]:
    """Nothing in the working folder (Compose knows best: COMPOSE_FILE, the folders above), else what it would pick in `folder`."""
    if folder == _absolute(Path()):
        return ()
    files = compose_files.in_folder(folder)
    if not files:
        raise UsageError(
            f"no Compose file in {folder} ({', '.join(compose_files.COMPOSE_NAMES)})",
            hint="name it: dartsctl check -f FILE",
        )
    return files


def _flagged(files: Sequence[Path], flag: str) -> tuple[Path, ...]:
    return tuple(_existing(_absolute(file), flag) for file in files)


def _existing(file: Path, origin: str) -> Path:
    """Return `file`. Raises UsageError that begins with `origin` for what is not there, no regular file, or too large.

    Compose would wait for a named pipe and read a device for ever. /dev/null is an env file.
    """
    try:
        if file.is_dir():
            raise UsageError(f"{origin}: {file} is a folder", hint="name the file in it")
        if not bounded_file.is_null_device(file):
            bounded_file.check(file, limit=bounded_file.COMPOSE_LIMIT)
    except FileNotFoundError:
        if file.is_symlink():
            raise UsageError(
                f"{origin}: {file} is a link to nothing", hint=shell_command("ls", "-l", file)
            ) from None
        raise UsageError(
            f"{origin}: no file {file}",
            hint="correct the path, or make the file: " + shell_command("ls", file.parent),
        ) from None
    except OSError as error:
        raise UsageError(
            f"{origin}: {file} cannot be read: {error.strerror}",
            hint=shell_command("ls", "-l", file),
        ) from error
    return file


def _absolute(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))


def _is_pyproject(settings: Settings) -> bool:
    return settings.source is not None and settings.source.name == "pyproject.toml"


def _settings_path(settings: Settings) -> Path:
    return settings.source or settings.root / "dartsctl.toml"
