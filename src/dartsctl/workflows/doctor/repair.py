"""`doctor --fix`: show the plan, carry it out step by step, verify, report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.incident import Report
from dartsctl.diagnosis.repair_plan import RepairPlan, make_plan
from dartsctl.edges.state.incident_file import IncidentFile
from dartsctl.errors import DartsctlError, ExitCode
from dartsctl.records import record
from dartsctl.workflows.doctor import repair_report
from dartsctl.workflows.doctor.repair_run import RepairOutcome, RepairRun
from dartsctl.workflows.doctor.repair_steps import RepairExecutor

if TYPE_CHECKING:
    from pathlib import Path

    from dartsctl.config.environment import Environment
    from dartsctl.edges.screen.output import Screen
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.examine.stack import Examination
    from dartsctl.workflows.up.answers import Answers
    from dartsctl.workflows.up.preview import ResolutionPreview


@record
class RepairRequest:
    """What `doctor --fix` was asked for."""

    plain: Environment
    """The environment without the override of moved ports."""
    answers: Answers
    dry_run: bool = False
    report: Path | None = None
    """Where to write an incident report."""


def repair(request: RepairRequest, examination: Examination, *, deps: Deps) -> ExitCode:
    """Repair what was diagnosed and verify it.

    Returns 0 (healthy, verified), 1 (something is left), 7 (a "no"), 130 (interrupted); 3, 4 and
    5 as elsewhere. Raises DartsctlError: with code 7 if nobody can agree, before anything is
    done; if the report's file cannot be created; for people if something is left.
    """
    facts, diagnosis, screen = examination.facts, examination.diagnosis, deps.screen
    plan = make_plan(diagnosis.findings, facts)
    command = f"{facts.commands.doctor} --fix"
    repair_report.show_plan(plan, diagnosis, screen)
    if plan.steps and not request.dry_run:
        _require_consent(request.answers, command, deps)
    file = None
    if request.report and not diagnosis.healthy and not request.dry_run:
        file = IncidentFile(request.report)
    executor = RepairExecutor(examination, request.plain, request.answers, command, deps=deps)
    outcome = RepairOutcome.nothing_done(plan, examination)
    preview = None
    if request.dry_run:
        preview = _preview(executor, plan, screen)
    elif plan.steps:
        outcome = RepairRun(plan, examination, executor, request.answers, deps=deps).carry_out()
    path = None
    if file:
        path = _write_outcome(file, examination, outcome, screen)
    if screen.as_json:
        screen.document(
            repair_report.document(
                examination, outcome, preview, dry_run=request.dry_run, report=path
            )
        )
        return outcome.code
    repair_report.show_outcome(outcome, command, screen, dry_run=request.dry_run)
    return outcome.code


def write_diagnosis(path: Path, examination: Examination, screen: Screen) -> None:
    """Write an incident report without a repair; none for a healthy stack.

    Raises DartsctlError if no file can be created.
    """
    if not examination.diagnosis.healthy:
        text = Report(screen.masker.line).markdown(examination.facts, examination.diagnosis)
        _write(IncidentFile(path), text, screen)


def _require_consent(answers: Answers, command: str, deps: Deps) -> None:
    """Raise DartsctlError (7) if nobody has agreed and nobody can be asked."""
    if answers.yes or (deps.prompts.interactive and not deps.screen.as_json):
        return
    raise DartsctlError(
        "cannot prompt for the confirmation of each step",
        hint=f"{command} --yes",
        code=ExitCode.ANSWER_NEEDED,
    )


def _preview(
    executor: RepairExecutor, plan: RepairPlan, screen: Screen
) -> ResolutionPreview | None:
    """Show and return what freeing the ports would stop."""
    try:
        preview = executor.preview(plan)
    except DartsctlError as error:
        screen.warn(error.message)
        return None
    if preview:
        for line in preview.lines:
            screen.note(line)
    return preview


def _write_outcome(
    file: IncidentFile, examination: Examination, outcome: RepairOutcome, screen: Screen
) -> Path | None:
    text = Report(screen.masker.line).markdown(
        examination.facts,
        examination.diagnosis,
        outcome.timeline,
        outcome.after if outcome.timeline else None,
    )
    return _write(file, text, screen)


def _write(file: IncidentFile, text: str, screen: Screen) -> Path | None:
    """Write a report. A failure is only a warning: it must not hide what was repaired."""
    try:
        file.write(text)
    except DartsctlError as error:
        screen.warn(error.message)
        return None
    screen.note(f"the report is in {file.path}")
    return file.path
