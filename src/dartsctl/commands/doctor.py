"""`doctor`: find out why a stack answers 502, and with --fix repair it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.errors import DartsctlError
from dartsctl.records import record, replace
from dartsctl.workflows.doctor import report
from dartsctl.workflows.doctor.repair import RepairRequest, repair, write_diagnosis
from dartsctl.workflows.examine.stack import Examination, examine
from dartsctl.workflows.preflight.from_labels import reason
from dartsctl.workflows.up.remap import as_it_runs

if TYPE_CHECKING:
    from pathlib import Path

    from dartsctl.errors import ExitCode
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.examine.probes import ExamineRequest
    from dartsctl.workflows.up.answers import Answers


@record
class DoctorRequest:
    """What to examine, and what to do about it."""

    examine: ExamineRequest
    """Its environment is without the override of moved ports."""
    fix: Answers | None = None
    """With --fix: how conflicts are answered."""
    dry_run: bool = False
    report: Path | None = None
    """Where to write an incident report."""


def doctor(request: DoctorRequest, *, deps: Deps) -> ExitCode:
    """Diagnose a stack, and repair it with --fix.

    Returns 0 (healthy, with --fix: repaired and verified), 1 (something is wrong), 5 (the engine
    does not answer). Raises DartsctlError if the Compose files cannot be read and either nothing
    runs or a repair needs them; and as `repair`.
    """
    plain = request.examine.environment
    environment = as_it_runs(plain, deps=deps, dry_run=request.dry_run)
    examination = examine(replace(request.examine, environment=environment), deps=deps)
    facts, diagnosis, screen = examination.facts, examination.diagnosis, deps.screen
    if not screen.as_json:
        report.show(facts, diagnosis, screen)
    if request.fix is not None and not diagnosis.healthy:
        _refuse_without_files(examination)
    if request.fix is not None:
        repair_request = RepairRequest(plain, request.fix, request.dry_run, request.report)
        return repair(repair_request, examination, deps=deps)
    if screen.as_json:
        document = report.document(facts, diagnosis)
        screen.document({**document, "exit_code": int(examination.code)})
    if request.report and not request.dry_run:
        write_diagnosis(request.report, examination, screen)
    return examination.code


def _refuse_without_files(examination: Examination) -> None:
    """Raise if the files are missing: a repair makes the stack what they say."""
    error = examination.files_error
    if error is None:
        return
    raise DartsctlError(
        f"cannot repair without the stack's files: {reason(error)}",
        details=error.details,
        hint=error.hint,
        code=error.code,
    )
