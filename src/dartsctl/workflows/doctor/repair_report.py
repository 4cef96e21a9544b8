"""A repair in words, and as the JSON document of `doctor --fix --json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dartsctl.errors import Advice, DartsctlError, ExitCode
from dartsctl.workflows.doctor import report as diagnosis_report

if TYPE_CHECKING:
    from pathlib import Path

    from dartsctl.diagnosis.findings import Diagnosis
    from dartsctl.diagnosis.incident import Afterwards
    from dartsctl.diagnosis.repair_plan import RepairPlan
    from dartsctl.edges.screen.output import Screen
    from dartsctl.workflows.doctor.repair_run import RepairOutcome
    from dartsctl.workflows.examine.stack import Examination
    from dartsctl.workflows.up.preview import ResolutionPreview


def show_plan(plan: RepairPlan, diagnosis: Diagnosis, screen: Screen) -> None:
    """Show the steps, and what is left to a person."""
    if diagnosis.healthy:
        screen.note("nothing to repair")
    rows = [(str(number), step.line, step.reason) for number, step in enumerate(plan.steps, 1)]
    screen.table(("STEP", "WHAT", "WHY"), rows)
    for row in plan.by_hand:
        screen.warn(row.line)


def show_outcome(outcome: RepairOutcome, command: str, screen: Screen, *, dry_run: bool) -> None:
    """Show the timeline. Raises DartsctlError if something is left."""
    screen.table(("WHEN", "WHAT", "RESULT"), [event.cells for event in outcome.timeline])
    if outcome.code is ExitCode.OK:
        if outcome.timeline:
            screen.note("repaired and verified")
        for line in outcome.after.beside:
            screen.warn(line)
        return
    if dry_run:
        return
    raise DartsctlError(
        _message(outcome.code, outcome.after),
        details=outcome.after.left,
        hint=_hint(outcome, command),
        code=outcome.code,
    )


def _message(code: ExitCode, after: Afterwards) -> str:
    if code is ExitCode.INTERRUPTED:
        return "interrupted; the table above shows what was done"
    if after.is_healthy:
        return "not every step was done, but the stack is healthy"
    if len(after.left) == 1:
        return "1 problem is left"
    return f"{len(after.left)} problems are left"


def _hint(outcome: RepairOutcome, command: str) -> str:
    code, by_hand = outcome.code, outcome.plan.by_hand
    if code in (ExitCode.CONFLICT, ExitCode.REFUSED):
        return Advice(f"settle what is named above, then: {command}")
    if code in (ExitCode.ANSWER_NEEDED, ExitCode.INTERRUPTED):
        return command
    if by_hand:
        return by_hand[0].finding.command
    if code is ExitCode.FAILED:
        return command.removesuffix(" --fix")
    return command


def document(
    examination: Examination,
    outcome: RepairOutcome,
    preview: ResolutionPreview | None,
    *,
    dry_run: bool,
    report: Path | None,
) -> dict[str, Any]:
    """Return the JSON document: diagnosis, plan, steps and verification."""
    plan, after = outcome.plan, outcome.after
    result: dict[str, Any] = {
        "ok": outcome.code is ExitCode.OK,
        "exit_code": int(outcome.code),
        "dry_run": dry_run,
        "diagnosis": diagnosis_report.document(examination.facts, examination.diagnosis),
        **_plan_document(plan),
        "steps": _step_documents(outcome),
        "verification": {
            "healthy": after.is_healthy,
            "answers": list(after.answers),
            "left": list(after.left),
            "beside": list(after.beside),
        },
        "report": str(report) if report else None,
    }
    if preview:
        result["free_ports"] = preview.document()
    return result


def _plan_document(plan: RepairPlan) -> dict[str, Any]:
    steps = [
        {
            "action": step.action.value,
            "service": step.service,
            "what": step.line,
            "why": step.reason,
        }
        for step in plan.steps
    ]
    by_hand = [
        {"problem": row.finding.sentence, "command": row.finding.command} for row in plan.by_hand
    ]
    return {"plan": steps, "by_hand": by_hand}


def _step_documents(outcome: RepairOutcome) -> list[dict[str, Any]]:
    return [
        {
            "action": step.action.value,
            "service": step.service,
            "when": event.when,
            "seconds": event.seconds,
            "ok": event.is_good,
            "result": event.result,
        }
        for step, event in outcome.steps
    ]
