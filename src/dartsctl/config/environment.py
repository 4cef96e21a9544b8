"""Which Compose files, env files and project make up an environment."""

from __future__ import annotations

import os
from pathlib import Path

from dartsctl.config.conventional_files import (
    ENV_FILES,
    cannot_pick,
    likely_files,
    likely_profiles,
    nothing_picked,
    pick_files,
    plain_file,
)
from dartsctl.config.env_file_names import ProductionFileMissing, env_files_of, unusual_env_files
from dartsctl.config.existing_file import absolute, existing
from dartsctl.config.settings import PRODUCTION, Settings, environment_key
from dartsctl.config.values import check_project
from dartsctl.errors import Advice, DartsctlError, Refused, UsageError
from dartsctl.records import field, record, replace
from dartsctl.stack import compose_files
from dartsctl.text.phrases import did_you_mean, shell_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    class FilesReader(Protocol):
        """What Compose is asked to pick an environment's files."""

        def is_complete(self, environment: Environment) -> bool:
            """Return whether Compose can read these files without another one beside them."""

        def has_profile(self, environment: Environment) -> bool:
            """Return whether a service of these files has one of the environment's profiles."""


_ADHOC = "adhoc"


@record
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
    siblings: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The projects of the other environments in the settings, with their names."""
    has_copies: bool = False
    """Whether other checkouts may run copies of this stack.

    False for production, and for files without settings.
    """
    copy_of: str = ""
    """In a linked git worktree, the project without the worktree's name."""
    files_error: DartsctlError | None = field(default=None, compare=False, repr=False)
    """Why the files cannot be used; set only for verbs that look at what runs."""
    picked: str = field(default="", compare=False)
    """What was picked by conventions: `dev: compose.yaml + compose.dev.yaml`. Empty: nothing."""
    files_of_others: tuple[str, ...] = field(default=(), compare=False)
    """The Compose files that only the other environments here have."""
    missing_env_file: Path | None = field(default=None, compare=False)
    """Production's env file, where there is none: it is needed only for a variable."""

    @property
    def is_adhoc(self) -> bool:
        """Whether there are no settings behind it (`adhoc`)."""
        return self.name == _ADHOC

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


class _Unread:
    """Takes a file that is named after its environment for the whole stack."""

    def is_complete(self, environment: Environment) -> bool:
        """Return True."""
        del environment
        return True

    def has_profile(self, environment: Environment) -> bool:
        """Return False."""
        del environment
        return False


_UNREAD = _Unread()


def resolve(
    settings: Settings,
    name: str,
    *,
    project: str | None = None,
    profiles: Sequence[str] = (),
    reader: FilesReader = _UNREAD,
) -> Environment:
    """Return the environment `name`; `project` and `profiles` (flags) replace the settings.

    `reader` is asked where names alone do not decide.
    Raises UsageError for an unknown environment, a missing file, and where the conventional names
    match no file or several. Raises Refused where production's env file is missing, for the project
    name of another environment, and for a file that is not trusted.
    """
    return _with_files(_named(settings, name, project, profiles), settings, reader)


def resolve_running(
    settings: Settings,
    name: str,
    *,
    project: str | None = None,
    profiles: Sequence[str] = (),
    reader: FilesReader = _UNREAD,
) -> Environment:
    """Return the environment for a verb that looks at what runs, also if its files are missing.

    `files_error` is what `resolve` would have raised for them; `files` are those that are named.
    Raises UsageError for an unknown environment, Refused as `resolve`.
    """
    environment = _named(settings, name, project, profiles)
    try:
        return _with_files(environment, settings, reader)
    except (UsageError, ProductionFileMissing) as error:
        files = settings.environments[name].files or likely_files(settings, name)
        return replace(environment, files=files, files_error=error)


def _named(
    settings: Settings, name: str, project: str | None, profiles: Sequence[str]
) -> Environment:
    """Return the environment without its files."""
    if name not in settings.environments:
        raise _unknown(settings, name)
    configured = settings.environments[name]
    others = settings.other_projects(name)
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
        siblings={other: environment for environment, other in others.items()},
        has_copies=name != PRODUCTION,
        copy_of=configured.copy_of if project is None else "",
    )


def _with_files(environment: Environment, settings: Settings, reader: FilesReader) -> Environment:
    configured = _configured_files(settings, environment.name)
    if configured:
        environment = _with_env_files(replace(environment, files=configured), settings)
        environment = replace(environment, picked=_choice(environment, settings))
    else:
        environment = _with_picked_files(environment, settings, reader)
    others: list[str] = []
    for other in settings.other_projects(environment.name):
        others += map(str, settings.environments[other].files or likely_files(settings, other))
    own = set(map(str, environment.files))
    return replace(environment, files_of_others=tuple(sorted(set(others) - own)))


def _with_picked_files(
    environment: Environment, settings: Settings, reader: FilesReader
) -> Environment:
    """Return the environment with the files that COMPOSE_FILE or their names pick.

    Raises UsageError, with the lines to write, where these fit none, or do not decide.
    """
    name = environment.name

    def candidate(files: Sequence[Path]) -> Environment:
        for file in files:
            settings.trust.require(file)
        return _with_env_files(replace(environment, files=tuple(files)), settings)

    pick = pick_files(settings, name, lambda files: reader.is_complete(candidate(files)))
    files = tuple(existing(absolute(settings.root / file), pick.origin) for file in pick.files)
    chosen: Environment | None = None
    if files:
        chosen = candidate(files)
    elif name != "dev" and not pick.candidates:
        chosen = with_own_profile(candidate(plain_file(settings)), settings, reader)
    if chosen is None:
        raise cannot_pick(settings, name, pick)
    if pick.is_plain:
        chosen = with_own_profile(chosen, settings, reader) or chosen
    return replace(chosen, picked=_choice(chosen, settings, files_from=pick.origin or "names"))


def with_own_profile(
    environment: Environment, settings: Settings, reader: FilesReader
) -> Environment | None:
    """Return a plain stack with the profile that is named after its environment, None without one.

    Profiles that the settings, an option or COMPOSE_PROFILES name stay as they are. Production and
    others are in a plain file only by their own profile.
    """
    name = environment.name
    others = settings.compose[name].profiles
    profiles = likely_profiles(name, environment.files)
    if environment.profiles:
        return environment if set(profiles) & set(environment.profiles) else None
    if others and name != PRODUCTION:
        return None
    for profile in profiles:
        trial = replace(environment, profiles=tuple(dict.fromkeys((profile, *others))))
        if reader.has_profile(trial):
            return trial
    return None


def _choice(environment: Environment, settings: Settings, *, files_from: str = "") -> str:
    """Return what was picked, in one line; empty if the settings name everything that matters."""
    names = " + ".join(os.path.relpath(file, settings.root) for file in environment.files)
    parts = [names]
    if files_from == "COMPOSE_FILE":
        parts.append("from COMPOSE_FILE")
    if environment.profiles and files_from and environment.profiles != environment.typed_profiles:
        parts.append(f"profile {', '.join(environment.profiles)}")
    if unusual := unusual_env_files(settings, environment.name, environment.env_files):
        parts.append(f"env file {unusual}")
    if not files_from and len(parts) == 1:
        return ""
    return f"{environment.name}: {', '.join(parts)}"


def _with_env_files(environment: Environment, settings: Settings) -> Environment:
    """Return the environment, whose files are known, with the env files that belong to them."""
    name = environment.name
    env_files = env_files_of(settings, name, environment.files)
    missing = None
    if name == PRODUCTION and not env_files and settings.environments[name].env_files is None:
        missing = settings.root / ENV_FILES[name]
    environment = replace(environment, env_files=env_files, missing_env_file=missing)
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
    folder = absolute(directory)
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
        existing(file, "Compose's default env file")
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
    return tuple(existing(file, origin) for file in files or ())


def _compose_defaults(folder: Path) -> tuple[Path, ...]:
    """Return the Compose files of `folder` that Compose would choose.

    Nothing for the working folder: Compose itself knows COMPOSE_FILE, and the folders above.
    """
    if folder == absolute(Path()):
        return ()
    files = compose_files.in_folder(folder)
    if not files:
        raise nothing_picked(folder)
    return files


def _from_flag(files: Sequence[Path], flag: str) -> tuple[Path, ...]:
    return tuple(existing(absolute(file), flag) for file in files)
