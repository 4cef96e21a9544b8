"""`doctor`."""

from __future__ import annotations

import os

from dartsctl.cli.options import CONFLICT, PROFILES, PROJECT
from dartsctl.cli.parameters import Argument, Option, verb
from dartsctl.records import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from dartsctl.cli.deps import Common
    from dartsctl.cli.options import ConflictOptions
    from dartsctl.config.settings import Settings
    from dartsctl.errors import UsageError
    from dartsctl.workflows.examine.probes import ExamineRequest


@verb(
    environment=Argument(
        text="Environment: prod (default), dev, or another one from the settings.",
        metavar="[ENV]",
    ),
    files=Option(
        "--file",
        "-f",
        kind="paths",
        text="Compose file, instead of an environment; several are merged.",
        metavar="FILE",
    ),
    env_files=Option(
        "--env-file",
        kind="paths",
        text="Env file for Compose variables; only with --file.",
        metavar="FILE",
    ),
    project=PROJECT,
    profiles=PROFILES,
    proxy=Option(
        "--proxy",
        kind="text",
        text="Service that is the reverse proxy, if it is not detected.",
        metavar="SERVICE",
    ),
    url=Option(
        "--url",
        kind="text",
        text="Additional URL to request, such as the public one.",
        metavar="URL",
    ),
    fix=Option(
        "--fix", text="Show a repair plan, then repair; asks before each step unless --yes."
    ),
    conflict=CONFLICT,
    report=Option(
        "--report",
        kind="path",
        text="Write an incident report (Markdown) to a new file.",
        metavar="FILE.md",
    ),
)
def doctor(
    *,
    common: Common,
    environment: str | None = None,
    files: list[Path] | None = None,
    env_files: list[Path] | None = None,
    project: str | None = None,
    profiles: list[str] | None = None,
    proxy: str = "",
    url: str = "",
    fix: bool = False,
    conflict: ConflictOptions,
    report: Path | None = None,
) -> int:
    """Find out why a stack answers 502, and repair it.

    Trace what a browser sees to the root cause, with evidence for every step. Changes nothing
    without --fix.

    \b
    dartsctl doctor                  diagnose production
    dartsctl doctor dev              diagnose the dev stack
    dartsctl doctor -f compose.yml   diagnose any stack with a reverse proxy
    dartsctl doctor --fix            show a plan, then ask before each repair
    dartsctl doctor --fix --yes --report incident.md
    dartsctl doctor --json | jq -r '.findings[].sentence'

    Exit codes: 0 healthy (with --fix: repaired and verified), 1 something is wrong, 5 the Docker
    engine does not answer.
    """
    from dartsctl.cli.answers import answers_of, answers_without_settings
    from dartsctl.cli.deps import deps_of
    from dartsctl.commands.doctor import DoctorRequest
    from dartsctl.commands.doctor import doctor as run_doctor
    from dartsctl.config.settings import PRODUCTION
    from dartsctl.errors import UsageError

    if files and environment:
        raise UsageError(
            "an environment and --file cannot be combined", hint=f"dartsctl doctor {environment}"
        )
    if files:
        request = _for_files(
            common,
            files,
            env_files=env_files or [],
            project=project,
            profiles=profiles or [],
            proxy=proxy,
            url=url,
        )
    else:
        request = request_for(
            common, environment, project=project, profiles=profiles or [], proxy=proxy, url=url
        )
    answers = None
    if fix and files:
        answers = answers_without_settings(common, conflict)
    elif fix:
        answers = answers_of(common, common.settings(), environment or PRODUCTION, conflict)
    return run_doctor(
        DoctorRequest(request, answers, dry_run=common.dry_run, report=report),
        deps=deps_of(common),
    )


def request_for(
    common: Common,
    name: str | None,
    *,
    project: str | None,
    profiles: list[str],
    proxy: str,
    url: str,
) -> ExamineRequest:
    import shlex

    from dartsctl.cli.deps import environment_of
    from dartsctl.config.conventional_files import CannotPick
    from dartsctl.config.settings import PRODUCTION
    from dartsctl.diagnosis.facts import Commands
    from dartsctl.workflows.examine.probes import ExamineRequest

    settings = common.settings()
    chosen = name or PRODUCTION
    environment = environment_of(
        common, settings, chosen, project=project, profiles=profiles, runs=True
    )
    if not name and isinstance(environment.files_error, CannotPick):
        environment = replace(environment, files_error=_or_dev(environment.files_error, settings))
    if environment.is_production:  # the settings have these keys only for production
        proxy, url = proxy or settings.doctor.proxy, url or settings.doctor.url
    options = ["--project", project] if project else []
    doctor_words = ["dartsctl", "doctor", *([name] if name else []), *options]
    commands = Commands(
        doctor=shlex.join(doctor_words),
        stack=f"dartsctl {chosen}",
        up=shlex.join(["dartsctl", chosen, "up", *options]),
    )
    return ExamineRequest(environment, commands, proxy, checked_url(url))


def _or_dev(error: UsageError, settings: Settings) -> UsageError:
    """Return the error with the way to the dev stack, if that is the only one here."""
    from dartsctl.config.conventional_files import likely_files
    from dartsctl.errors import UsageError

    if not likely_files(settings, "dev"):
        return error
    details = (*error.details[:-1], "or diagnose the dev stack:")
    return UsageError(error.message, details=details, hint="dartsctl doctor dev")


def _for_files(
    common: Common,
    files: list[Path],
    *,
    env_files: list[Path],
    project: str | None,
    profiles: list[str],
    proxy: str,
    url: str,
) -> ExamineRequest:
    import shlex
    from pathlib import Path

    from dartsctl.cli.deps import working_folder
    from dartsctl.config.environment import adhoc
    from dartsctl.diagnosis.facts import Commands
    from dartsctl.workflows.examine.probes import ExamineRequest

    environment = adhoc(
        files=tuple(files),
        project=project,
        env_files=tuple(env_files),
        profiles=tuple(profiles),
        directory=working_folder() / (common.project_dir or Path()),
    )
    words = []
    for file in files:
        words += ["-f", os.fspath(file)]
    for file in env_files:
        words += ["--env-file", os.fspath(file)]
    if project:
        words += ["-p", project]
    stack = shlex.join(["docker", "compose", *words])
    commands = Commands(
        doctor=shlex.join(["dartsctl", "doctor", *words]), stack=stack, up=f"{stack} up -d"
    )
    return ExamineRequest(environment, commands, proxy, checked_url(url))


def checked_url(url: str) -> str:
    """Return the URL of `--url`. Raises UsageError if it is none."""
    from dartsctl.config.file import Setting
    from dartsctl.config.values import url as convert

    return convert(Setting(url, "--url")) if url else ""
