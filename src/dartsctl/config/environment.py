"""Which Compose files, env files and project make up an environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.config.conventional_files import ENV_FILES, conventional_files, likely_files
from dartsctl.config.settings import PRODUCTION, Settings, environment_key
from dartsctl.config.values import check_project
from dartsctl.errors import Advice, DartsctlError, Refused, UsageError
from dartsctl.stack import compose_files
from dartsctl.system import bounded_file
from dartsctl.text.phrases import did_you_mean, shell_command

if TYPE_CHECKING:
    pass

_ADHOC = "adhoc"


@dataclass(frozen=True, slots=True)
class Environment:
    """What Compose is called with. Paths are absolute.

    The files existed when this was made, unless `files_error` says otherwise.
    """

    name: str
    files: tuple[Path, ...]
    """Empty: Compose chooses (only from `adhoc`)."""
    env_files: tuple[Path, ...]
    """Empty: Compose reads a `.env` beside the first file, if there is one."""
    project: str | None
    """None: Compose derives it (only from `adhoc`)."""
    profiles: tuple[str, ...]
    directory: Path
    """The folder of the settings. Compose resolves relative paths from the first file's folder."""
    is_production: bool = False
    refuses_unsafe: bool = True
    """Whether weak secrets and bad certificates keep production from starting."""
    project_named: bool = False
    """Whether the project name comes from the command line: then it is deliberate."""
    typed_profiles: tuple[str, ...] = ()
    """The profiles that come from the command line."""
    project_dir: Path | None = None
    """--project-dir, as it was typed."""
    siblings: frozenset[str] = frozenset()
    """The projects of the other environments in the settings."""
    has_copies: bool = False
    """Whether other checkouts may run copies of this stack.

    False for production, and for files without settings.
    """
    copy_of: str = ""
    """In a linked git worktree, the project without the worktree's name."""
    files_error: DartsctlError | None = field(default=None, compare=False, repr=False)
    """Why the files cannot be used; set only for verbs that look at what runs."""
    are_files_picked: bool = field(default=False, compare=False)
    """Whether the files were picked by their names: no setting names them."""

    @property
    def is_adhoc(self) -> bool:
        """Whether there are no settings behind it (`adhoc`)."""
        return self.name == _ADHOC

    @property
    def choice(self) -> str:
        """What was picked, as it is said once: `dev: compose.yaml + compose.dev.yaml`."""
        files = " + ".join(os.path.relpath(file, self.directory) for file in self.files)
        return f"{self.name}: {files}"

    @property
    def shown_files(self) -> str:
        """The Compose files, relative to the settings: `compose/prod.yml, compose/tls.yml`."""
        return ", ".join(os.path.relpath(file, self.directory) for file in self.files)

    def command(self, *words: str) -> str:
        """Return a `dartsctl` command for this environment that can be pasted.

        It keeps the project, the profiles and the folder that the command line named.
        """
        has_profiles = words[0] in ("up", "check", "config")  # the verbs that have --profile
        options = self._typed_options(with_profiles=has_profiles)
        return shell_command("dartsctl", self.name, *words, *options)

    def doctor_command(self) -> str:
        """Return the command that diagnoses this environment's stack."""
        options = self._typed_options(with_profiles=True)
        return shell_command("dartsctl", "doctor", self.name, *options)

    def _typed_options(self, *, with_profiles: bool) -> list[object]:
        options: list[object] = ["--project", self.project] if self.project_named else []
        for profile in self.typed_profiles if with_profiles else ():
            options += ["--profile", profile]
        if self.project_dir:
            options += ["--project-dir", self.project_dir]
        return options


@dataclass(frozen=True, slots=True)
class EnvValue:
    """A variable of an env file. No repr shows the value."""

    value: str = field(repr=False)
    file: Path
    line: int
    uses: frozenset[str] = frozenset()
    """The variables that are replaced in it: `${NAME}`."""

    @property
    def origin(self) -> str:
        """The place: `.env:3`."""
        return f"{self.file.name}:{self.line}"


Complete = Callable[[Environment], bool]
"""Returns whether Compose can read an environment's files without another one beside them."""


def _unasked(_: Environment) -> bool:
    """Take a file that is named after its environment for the whole stack."""
    return True


def resolve(
    settings: Settings,
    name: str,
    *,
    project: str | None = None,
    profiles: Sequence[str] = (),
    is_complete: Complete = _unasked,
) -> Environment:
    """Return the environment `name`; `project` and `profiles` (flags) replace the settings.

    `is_complete` is asked where a file that is named after the environment has a base beside it.
    Raises UsageError for an unknown environment, a missing file, and where the conventional names
    match no file or several. Raises Refused where production's env file is missing, for the project
    name of another environment, and for a file that is not trusted.
    """
    return _with_files(_named(settings, name, project, profiles), settings, is_complete)


def resolve_running(
    settings: Settings,
    name: str,
    *,
    project: str | None = None,
    profiles: Sequence[str] = (),
    is_complete: Complete = _unasked,
) -> Environment:
    """Return the environment for a verb that looks at what runs, also if its files are missing.

    `files_error` is what `resolve` would have raised for them; `files` are those that are named.
    Raises UsageError for an unknown environment, Refused as `resolve`.
    """
    environment = _named(settings, name, project, profiles)
    try:
        return _with_files(environment, settings, is_complete)
    except (UsageError, _ProductionFileMissing) as error:
        files = settings.environments[name].files or likely_files(settings, name)
        return replace(environment, files=files, files_error=error)


def _named(
    settings: Settings, name: str, project: str | None, profiles: Sequence[str]
) -> Environment:
    """Return the environment without its files."""
    if name not in settings.environments:
        raise _unknown(settings, name)
    configured = settings.environments[name]
    others = {other: own.project for other, own in settings.environments.items() if other != name}
    _refuse_project_of(others, name, project)
    return Environment(
        name=name,
        files=(),
        env_files=(),
        project=_project_from_flag(project) or configured.project,
        profiles=tuple(profiles) or configured.profiles,
        directory=settings.root,
        is_production=name == PRODUCTION,
        refuses_unsafe=configured.unsafe == "refuse",
        project_named=project is not None,
        typed_profiles=tuple(profiles),
        project_dir=settings.project_dir,
        siblings=frozenset(others.values()),
        has_copies=name != PRODUCTION,
        copy_of=configured.copy_of if project is None else "",
    )


def _with_files(environment: Environment, settings: Settings, is_complete: Complete) -> Environment:
    name = environment.name
    if configured := _configured_files(settings, name):
        return _with_env_files(replace(environment, files=configured), settings)

    def are_complete(files: tuple[Path, ...]) -> bool:
        return is_complete(candidate(files))

    def candidate(files: tuple[Path, ...]) -> Environment:
        for file in files:
            settings.trust.require(file)
        return _with_env_files(replace(environment, files=files), settings)

    picked = candidate(conventional_files(settings, name, are_complete))
    return replace(picked, are_files_picked=True)


def _with_env_files(environment: Environment, settings: Settings) -> Environment:
    """Return the environment, whose files are known, with the env files that belong to them."""
    environment = replace(environment, env_files=_env_files(settings, environment.name))
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
    """Return the environment of any Compose files, without settings.

    Paths are relative to the working folder. Without files, Compose chooses in `directory`.
    Raises UsageError for a missing file, and for a `directory` without Compose files.
    """
    folder = _absolute(directory)
    environment = Environment(
        name=_ADHOC,
        files=_from_flag(files, "--file") or _compose_defaults(folder),
        env_files=_from_flag(env_files, "--env-file"),
        project=_project_from_flag(project),
        profiles=tuple(profiles),
        directory=folder,
        project_named=project is not None,
    )
    return _checked(environment)


def default_env_files(environment: Environment) -> tuple[Path, ...]:
    """Return the `.env` files that Compose reads where none is named.

    They are in the working folder, and beside the first Compose file.
    """
    if environment.env_files:
        return ()
    beside = environment.files[0].parent if environment.files else environment.directory
    files = [folder / ".env" for folder in (Path(), beside)]
    return tuple(file for file in files if os.access(file, os.F_OK) and not file.is_dir())


def _checked(environment: Environment) -> Environment:
    for file in default_env_files(environment):
        _existing(file, "Compose's default env file")
    return environment


def _refuse_project_of(others: Mapping[str, str], name: str, project: str | None) -> None:
    """Refuse `dev up --project darts`: it would replace production's containers."""
    for other, its_project in others.items():
        if its_project == project:
            raise Refused(
                f"--project {project} is the project of {other}; "
                f"{name} must not replace its containers",
                hint=f"dartsctl {other} --help",
            )


def _project_from_flag(project: str | None) -> str | None:
    return None if project is None else check_project(project, source="--project")


def _unknown(settings: Settings, name: str) -> UsageError:
    known = ", ".join(settings.environments)
    hint = did_you_mean(name, settings.environments)
    return UsageError(
        f"unknown environment: {name!r}",
        details=(f"known: {known}",),
        hint=hint or Advice(f"to add it, write [environment.{name}] in {settings.path}"),
    )


def _configured_files(settings: Settings, name: str) -> tuple[Path, ...]:
    origin = settings.origin(*environment_key(name, "files"))
    files = settings.environments[name].files
    if files == ():
        raise UsageError(
            f"{name} has no services: {origin} is empty",
            hint=Advice("name its Compose files there; `dartsctl dev` starts the server alone"),
        )
    return tuple(_existing(file, origin) for file in files or ())


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
            raise _missing_production_file(file)
        settings.trust.require(file)
    return tuple(_existing(file, origin) for file in configured)


class _ProductionFileMissing(Refused):
    """Production's env file is missing."""


def _missing_production_file(file: Path) -> Refused:
    """Return the error about production's env file.

    Without it, Compose would insert empty values, or those of development.
    """
    if file.is_symlink():
        return _ProductionFileMissing(
            f"production's env file is a broken symbolic link: {file}",
            hint=shell_command("ls", "-l", file),
        )
    example = file.with_name(file.name + ".example")
    details: tuple[str, ...] = ("`dartsctl init` creates it with new secrets",)
    if example.exists():
        details = (
            f"`dartsctl init` creates it from {example.name}, with new secrets",
            "by hand: " + shell_command("cp", example, file),
        )
    return _ProductionFileMissing(
        f"production's env file is missing: {file}", details=details, hint="dartsctl init"
    )


def _compose_defaults(folder: Path) -> tuple[Path, ...]:
    """Return the Compose files of `folder` that Compose would choose.

    Nothing for the working folder: Compose itself knows COMPOSE_FILE, and the folders above.
    """
    if folder == _absolute(Path()):
        return ()
    files = compose_files.in_folder(folder)
    if not files:
        raise UsageError(
            f"no Compose file in {folder} ({', '.join(compose_files.COMPOSE_NAMES)})",
            hint=Advice("name a file: dartsctl check -f FILE"),
        )
    return files


def _from_flag(files: Sequence[Path], flag: str) -> tuple[Path, ...]:
    return tuple(_existing(_absolute(file), flag) for file in files)


def _existing(file: Path, origin: str) -> Path:
    """Return `file` if it is a regular file of a sensible size, or /dev/null.

    Compose would wait for a named pipe, and read a device without end. Raises UsageError that
    begins with `origin`.
    """
    try:
        if file.is_dir():
            raise UsageError(f"{origin}: {file} is a folder", hint=Advice("name the file in it"))
        if not bounded_file.is_null_device(file):
            bounded_file.check(file, limit=bounded_file.COMPOSE_LIMIT)
    except FileNotFoundError:
        if file.is_symlink():
            raise UsageError(
                f"{origin}: broken symbolic link: {file}", hint=shell_command("ls", "-l", file)
            ) from None
        raise UsageError(
            f"{origin}: no such file: {file}", hint=shell_command("ls", file.parent)
        ) from None
    except OSError as error:
        raise UsageError(
            f"{origin}: cannot read {file}: {error.strerror}", hint=shell_command("ls", "-l", file)
        ) from error
    return file


def _absolute(path: Path) -> Path:
    return Path(os.path.normpath(path.absolute()))
