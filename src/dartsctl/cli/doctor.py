"""`doctor`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dartsctl.cli.answers import answers_of, answers_without_settings
from dartsctl.cli.deps import MASKER, Common, deps_of, working_folder
from dartsctl.cli.options import (
    ConflictOptions,
    Profiles,
    Project,
    verb,
)
from dartsctl.errors import UsageError

if TYPE_CHECKING:
    from dartsctl.commands.doctor import Examined
    from dartsctl.config.environment import Environment
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.doctor.examine import ExamineRequest
    from dartsctl.workflows.up.settle import Answers

Name = Annotated[
    str | None,
    typer.Argument(
        help="Environment: prod (default), dev, or another one from the settings.",
        metavar="[ENV]",
        show_default=False,
    ),
]
Files = Annotated[
    list[Path] | None,
    typer.Option(
        "--file",
        "-f",
        help="Compose file, instead of an environment; several are merged.",
        metavar="FILE",
    ),
]
EnvFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--env-file", help="Env file for Compose variables; only with --file.", metavar="FILE"
    ),
]
Proxy = Annotated[
    str,
    typer.Option(
        "--proxy",
        help="Service that is the reverse proxy, if it is not detected.",
        metavar="SERVICE",
    ),
]
FixIt = Annotated[
    bool,
    typer.Option(
        "--fix", help="Show a repair plan, then repair; asks before each step unless --yes."
    ),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report", help="Write an incident report (Markdown) to a new file.", metavar="FILE.md"
    ),
]
Url = Annotated[
    str,
    typer.Option("--url", help="Additional URL to request, such as the public one.", metavar="URL"),
]


@verb
def doctor(
    *,
    common: Common,
    environment: Name = None,
    files: Files = None,
    env_files: EnvFiles = None,
    project: Project = None,
    profiles: Profiles = None,
    proxy: Proxy = "",
    url: Url = "",
    fix: FixIt = False,
    conflict: ConflictOptions,
    report: Report = None,
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
    if files and environment:
        raise UsageError(
            "an environment and --file were both named", hint=f"dartsctl doctor {environment}"
        )
    from dartsctl.commands.doctor import doctor as run_doctor
    from dartsctl.commands.doctor import tell

    if files:
        request = _adhoc(common, files, env_files or [], project, profiles or [], proxy, url)
    else:
        request = _configured(common, environment, project, profiles or [], proxy, url)
    deps = deps_of(common)
    screen = deps.screen
    examined = run_doctor(request, deps=deps, dry_run=common.dry_run)
    if fix:
        return _fix(
            common,
            request,
            examined,
            _answers(common, environment, files, conflict),
            report,
            deps=deps,
        )
    code = tell(examined, screen)
    if report and not common.dry_run:
        from dartsctl.workflows.doctor.repair import write_report

        write_report(report, examined, screen)
    return code


def _fix(
    common: Common,
    request: ExamineRequest,
    examined: Examined,
    answers: Answers,
    report: Path | None,
    *,
    deps: Deps,
) -> int:
    """The diagnosis for people, then the repair; with --json one document has both."""
    from dartsctl.commands.doctor import look_at, tell
    from dartsctl.workflows.doctor.repair import RepairRequest, repair
    from dartsctl.workflows.doctor.report import document

    screen = deps.screen
    if not screen.as_json:
        tell(examined, screen)
    asked = RepairRequest(
        examined.request.environment,
        request.environment,
        answers,
        yes=common.yes,
        dry_run=common.dry_run,
        deadline=answers.wait_timeout,
        report=report,
        document=document(examined.facts, examined.diagnosis),
    )

    def look_again(environment: Environment) -> Examined:
        return look_at(examined.request, environment, deps=deps)

    return repair(
        asked,
        examined,
        look_again=look_again,
        deps=deps,
    )


def _answers(
    common: Common,
    name: str | None,
    files: list[Path] | None,
    conflict: ConflictOptions,
) -> Answers:
    from dartsctl.config.settings import PRODUCTION

    if files:
        return answers_without_settings(common, conflict)
    return answers_of(common, common.settings(), name or PRODUCTION, conflict)


def _configured(
    common: Common, name: str | None, project: str | None, profiles: list[str], proxy: str, url: str
) -> ExamineRequest:
    from dartsctl.config.environment import resolve
    from dartsctl.config.settings import PRODUCTION
    from dartsctl.diagnosis.facts import Commands
    from dartsctl.workflows.doctor.examine import ExamineRequest

    settings = common.settings()
    chosen = name or PRODUCTION
    environment = resolve(settings, chosen, project=project, profiles=tuple(profiles))
    if environment.is_production:  # the settings speak of production alone
        proxy, url = proxy or settings.doctor.proxy, url or settings.doctor.url
    words = [
        "dartsctl",
        "doctor",
        *([name] if name else []),
        *(["--project", project] if project else []),
    ]
    up = ["dartsctl", chosen, "up", *(["--project", project] if project else [])]
    commands = Commands(shlex.join(words), f"dartsctl {chosen}", shlex.join(up))
    return ExamineRequest(environment, commands, proxy, checked_url(url), MASKER)


def _adhoc(
    common: Common,
    files: list[Path],
    env_files: list[Path],
    project: str | None,
    profiles: list[str],
    proxy: str,
    url: str,
) -> ExamineRequest:
    from dartsctl.config.environment import adhoc
    from dartsctl.diagnosis.facts import Commands
    from dartsctl.workflows.doctor.examine import ExamineRequest

    environment = adhoc(
        files=tuple(files),
        project=project,
        env_files=tuple(env_files),
        profiles=tuple(profiles),
        directory=working_folder() / (common.project_dir or Path()),
    )
    words = [word for file in files for word in ("-f", os.fspath(file))]
    words += [word for file in env_files for word in ("--env-file", os.fspath(file))]
    words += ["-p", project] if project else []
    stack = shlex.join(["docker", "compose", *words])
    commands = Commands(shlex.join(["dartsctl", "doctor", *words]), stack, f"{stack} up -d")
    return ExamineRequest(environment, commands, proxy, checked_url(url), MASKER)


def checked_url(url: str) -> str:
    """`--url`. Raises UsageError where it is none."""
    from dartsctl.config.file import Setting
    from dartsctl.config.values import url as convert

    return convert(Setting(url, "--url")) if url else ""
