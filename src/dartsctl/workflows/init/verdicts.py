"""What `prod check` and `dev check` say about the project as it is now: a line for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.config.environment import resolve
from dartsctl.config.load_settings import load
from dartsctl.config.server_program import server_command
from dartsctl.config.settings import BUILT_IN, PRODUCTION, Settings
from dartsctl.errors import DartsctlError, ExitCode
from dartsctl.ports import unmet_needs
from dartsctl.records import record, replace
from dartsctl.text.phrases import shell_command
from dartsctl.workflows.deps import FilesReader
from dartsctl.workflows.preflight import another_stack, orphans, report
from dartsctl.workflows.preflight.inputs import Intent
from dartsctl.workflows.preflight.preflight import Preflight, exit_code_of, run_preflight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.workflows.deps import Deps


@record
class Verdict:
    """How a `check` ends. `next_command` is a command, or Advice; empty if it is clear."""

    environment: str
    code: ExitCode
    sentence: str
    next_command: str = ""
    is_up: bool = False
    """Whether the whole stack already runs as its files say."""

    @property
    def command(self) -> str:
        """The command that says all of it."""
        return f"dartsctl {self.environment} check"

    @property
    def line(self) -> str:
        """The verdict in one line."""
        return f"{self.environment} check: {self.sentence}"


def reloaded(settings: Settings, deps: Deps) -> Settings:
    """Return the settings of the same folder as they are now. Raises as `load`."""
    now = load(settings.root, deps.environ, project_dir=settings.root, trust=settings.trust)
    return replace(now, project_dir=settings.project_dir)


def verdicts(settings: Settings, names: Sequence[str], deps: Deps) -> tuple[Verdict, ...]:
    """Return the verdict of each environment in `names`, production first."""
    ordered = [name for name in reversed(BUILT_IN) if name in names]
    return tuple(_verdict(settings, name, deps) for name in ordered)


def _verdict(settings: Settings, name: str, deps: Deps) -> Verdict:
    try:
        environment = resolve(settings, name, reader=FilesReader(deps.compose_on))
        preflight = run_preflight(environment, Intent(), deps=deps)
    except DartsctlError as error:
        return Verdict(name, error.code, _sentence(error), error.hint)
    code = exit_code_of(preflight)
    if code is ExitCode.OK:
        return Verdict(name, code, report.clear_line(preflight), is_up=_is_up(preflight))
    return Verdict(name, code, _problem(preflight), _next(preflight))


def _sentence(error: DartsctlError) -> str:
    """Return an error in one line: a refusal is its first problem."""
    if error.code is not ExitCode.REFUSED or not error.details:
        return error.message
    return f"{error.message.removesuffix('; nothing was changed')}: {error.details[0]}"


def _problem(preflight: Preflight) -> str:
    """Return the first problem, and how many more there are."""
    problems = [objection.sentence for objection in preflight.blocking_objections]
    problems += report.collision_lines(preflight.collisions)
    problems += [conflict.sentence for conflict in report.conflict_texts(preflight)]
    more = len(problems) - 1
    return f"{problems[0]}, and {more} more" if more else problems[0]


def _next(preflight: Preflight) -> str:
    command = preflight.environment.command("check")
    if preflight.blocking_objections:
        return command
    hint = another_stack.next_command(preflight, command)
    hint = hint or orphans.next_command(preflight)
    return hint or unmet_needs.next_command(preflight.unmet_needs, command) or command


def _is_up(preflight: Preflight) -> bool:
    """Return whether `up` would keep a container of every service."""
    kept = {container.service for container in preflight.convergence.kept}
    return kept >= preflight.stack.services.keys()


def next_command(settings: Settings, seen: Sequence[Verdict]) -> str:
    """Return what to type after `init`: the first stack that is not up, or what is in its way."""
    for verdict in seen:
        if verdict.code is not ExitCode.OK:
            return verdict.next_command or verdict.command
        if verdict.environment == PRODUCTION and not verdict.is_up:
            return _command(settings, "prod", "up")
    if has_app(settings):
        return _command(settings, "dev")
    return _command(settings, "dev", "up")


def has_app(settings: Settings) -> bool:
    """Return whether the settings or the folder have what `dartsctl dev` starts."""
    try:
        server_command(settings)
    except DartsctlError:
        return False
    return True


def _command(settings: Settings, *words: str) -> str:
    options: list[object] = []
    if settings.project_dir:
        options = ["--project-dir", settings.project_dir]
    return shell_command("dartsctl", *words, *options)
