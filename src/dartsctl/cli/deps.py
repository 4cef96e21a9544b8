"""The dependencies of a verb, from the common options: the only place where they are chosen."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

from dartsctl.errors import Advice, DartsctlError, UsageError
from dartsctl.records import record
from dartsctl.text.masker import Masker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.config.env_value import EnvValue
    from dartsctl.config.environment import Environment
    from dartsctl.config.settings import Settings
    from dartsctl.edges.engine.compose import Compose
    from dartsctl.edges.engine.kept_models import KeptModels
    from dartsctl.edges.engine.protocol import Engine
    from dartsctl.edges.engine.remembered_calls import RememberedCalls
    from dartsctl.edges.screen.output import Screen
    from dartsctl.edges.screen.prompts import Prompts
    from dartsctl.ports.reservation import Reservation
    from dartsctl.server.lease_record import LeaseRecord
    from dartsctl.workflows.deps import Deps, FilesReader
    from dartsctl.workflows.host import Host

MASKER = Masker()
"""The secrets of this process.

What any part of the process learns is masked in everything that is shown, written or kept.
"""


@record
class Common:
    """The options that every verb takes."""

    as_json: bool = False
    dry_run: bool = False
    yes: bool = False
    no_input: bool = False
    quiet: bool = False
    verbose: bool = False
    no_color: bool = False
    project_dir: Path | None = None

    def screen(self) -> Screen:
        """Return the screen that these options ask for."""
        from dartsctl.edges.screen.output import Screen

        return Screen(
            as_json=self.as_json,
            quiet=self.quiet,
            verbose=self.verbose,
            color=not self.no_color,
            masker=MASKER,
        )

    def settings(self) -> Settings:
        """Return the project's settings.

        Raises UsageError that names file, line and key; Refused for settings that are not trusted.
        """
        from dartsctl.config.load_settings import load
        from dartsctl.config.trust import Trust
        from dartsctl.edges.state.trust_book import trusted_folders

        return load(
            working_folder(), os.environ, project_dir=self.project_dir, trust=Trust(trusted_folders)
        )


ONE_RUN, WATCHING = 10.0, 60.0
"""Seconds for which Compose's answer counts about files that name others; see `deps_of`."""


def deps_of(common: Common, *, remembers: float = 0.0) -> Deps:
    """Return the real dependencies. Raises UsageError if no state folder can be named.

    `remembers`: Compose is asked about the same files only once, until they change. Not all of them
    may be known: then an answer counts for so many seconds. 0: nothing is remembered.
    """
    from dartsctl.workflows.deps import Deps

    memory = _memory(remembers) if remembers else None
    return Deps(
        environ=os.environ,
        state=state(),
        screen=common.screen(),
        prompts=prompts_of(common),
        compose_on=partial(compose_on, memory=memory),
        engine=engine,
        host=_host,
        forget_answers=partial(_forget_answers, memory),
    )


def _memory(short: float) -> RememberedCalls:
    from dartsctl.edges.engine.remembered_calls import RememberedCalls

    return RememberedCalls(short)


def _forget_answers(memory: RememberedCalls | None) -> None:
    """Drop what Compose has answered in this process, and is answering."""
    from dartsctl.edges.engine import early_config

    early_config.end()
    _kept_models().clear()
    if memory:
        memory.clear()


def state() -> Path:
    """Return the state folder. Raises UsageError if none can be named."""
    from dartsctl.edges.state.folder import state_folder

    return state_folder()


def working_folder() -> Path:
    """Return the current folder. Raises UsageError if it was deleted."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError(
            "the working folder no longer exists", hint=Advice("change into a folder that exists")
        ) from None


def prompts_of(common: Common) -> Prompts:
    """Return the prompts: disabled by --no-input."""
    from dartsctl.edges.screen.prompts import Prompts

    return Prompts(allowed=not common.no_input, shown=MASKER.line)


def compose_on(
    environment: Environment,
    *,
    deadline: float | None = None,
    memory: RememberedCalls | None = None,
) -> Compose:
    """Return Compose for an environment's files, and mask the secrets of its env files.

    `deadline`: seconds that resolving the files may take, if the default is too long.
    """
    from dartsctl.edges.engine.compose import CONFIG_DEADLINE, Compose
    from dartsctl.edges.state.compose_answers import ComposeAnswers
    from dartsctl.edges.state.compose_versions import ComposeVersions

    learn_env_files(environment)
    return Compose(
        environment,
        masker=MASKER,
        known=ComposeVersions(state()),
        deadline=deadline or CONFIG_DEADLINE,
        variables=lambda: _env_values(environment),
        kept=_kept_models(),
        answers=ComposeAnswers(state()),
        memory=memory,
        note_early=_note_early,
    )


def _note_early(text: bytes) -> None:
    """Keep what `early_config` reads in the next run."""
    from dartsctl.edges.engine.early_config import FILE
    from dartsctl.edges.state.folder import replace_losable

    replace_losable(state(), FILE, text)


def learn_env_files(environment: Environment) -> None:
    """Mask the secrets of an environment's env files, from the next text on."""
    MASKER.learn_later(lambda: _learn_env_files(environment))


@cache
def _kept_models() -> KeptModels:
    """Return the models of this process that were resolved to pick the files."""
    from dartsctl.edges.engine.kept_models import KeptModels

    return KeptModels()


def environment_of(
    common: Common,
    settings: Settings,
    name: str,
    *,
    project: str | None = None,
    profiles: Sequence[str] = (),
    runs: bool = False,
    is_shown: bool = True,
) -> Environment:
    """Return an environment of the settings for a verb. Files that were picked are shown once.

    `runs`: the verb looks at what runs, also without its files. `is_shown`: False for a verb whose
    answer does not depend on the files.
    """
    from dartsctl.config.environment import resolve, resolve_running

    resolved = resolve_running if runs else resolve
    environment = resolved(
        settings, name, project=project, profiles=tuple(profiles), reader=files_reader()
    )
    if is_shown and environment.picked:
        common.screen().note(environment.picked)
    return environment


def files_reader() -> FilesReader:
    """Return what Compose is asked to pick an environment's files."""
    from dartsctl.workflows.deps import FilesReader

    return FilesReader(compose_on)


def engine(*, deadline: float | None = None) -> Engine:
    """Return the client for the engine that the environment variables name."""
    from dartsctl.edges.engine.address import endpoint
    from dartsctl.edges.engine.connect import engine_at

    return engine_at(endpoint(os.environ), deadline=deadline)


def engine_address() -> str:
    """Return the engine's address. Raises DockerUnavailable for a context that cannot be read."""
    from dartsctl.edges.engine.address import endpoint

    return endpoint(os.environ)


def _host() -> Host:
    from dartsctl.workflows.host import Host

    return Host(held=_held, read_reservations=_reservations)


def _held() -> tuple[LeaseRecord, ...]:
    from dartsctl.edges.state.leases import LeaseBook

    return LeaseBook(state()).held()


def _reservations() -> tuple[Reservation, ...]:
    from dartsctl.workflows.reservations import read_reservations

    return read_reservations(state())


def _env_values(environment: Environment) -> dict[str, EnvValue]:
    """Return the variables of the env files that can be read."""
    from dartsctl.config.environment import default_env_files
    from dartsctl.edges.project.env_files import read

    values: dict[str, EnvValue] = {}
    with suppress(DartsctlError, OSError):  # the working folder may be gone
        for file in environment.env_files or default_env_files(environment):
            with suppress(DartsctlError):  # Compose reports what is wrong with the file
                if file.is_file():
                    values |= read((file,))
    return values


def _learn_env_files(environment: Environment) -> None:
    """Learn the secrets of regular files only: a pipe can be read once, by Compose."""
    from dartsctl.config.environment import default_env_files
    from dartsctl.edges.project.env_files import read

    MASKER.spare([environment.name, environment.project or ""])
    with suppress(DartsctlError):  # the working folder may be gone
        for file in environment.env_files or default_env_files(environment):
            with suppress(DartsctlError):  # Compose reports what is wrong with the file
                if file.is_file():
                    MASKER.learn({name: value.value for name, value in read((file,)).items()})
