"""Repair what can be repaired without harm: the safe part of `doctor --fix`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.repair_plan import safe_plan
from dartsctl.errors import Refused
from dartsctl.records import record, replace
from dartsctl.workflows.doctor.repair_run import RepairRun
from dartsctl.workflows.doctor.repair_steps import RepairExecutor
from dartsctl.workflows.examine.stack import examine
from dartsctl.workflows.up.answers import Answers
from dartsctl.workflows.up.remap import as_it_runs
from dartsctl.workflows.watch.signals import Note

if TYPE_CHECKING:
    from collections.abc import Collection

    from dartsctl.diagnosis.findings import Finding
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.request import WatchRequest

VERB = "watch --heal"
_ANSWERS = Answers(policy="fail", yes=True, wait_timeout=1.0)
"""Nobody is asked, and whoever has a port keeps it."""


@record
class Healing:
    """One attempt. `services`: those that something was done about."""

    services: tuple[str, ...]
    is_good: bool
    text: str
    """`healed: start app`, `could not heal app: ...`."""
    actions: tuple[str, ...] = ()

    def note(self, when: float) -> Note:
        """Return what the screen and the JSON lines say."""
        data = {"services": list(self.services), "actions": list(self.actions), "ok": self.is_good}
        return Note(self.text, when, kind="healed", service=self.services[0], data=data)


def heal(
    request: WatchRequest,
    services: Collection[str],
    *,
    deps: Deps,
    spared: Collection[str] = (),
    causes: Collection[Cause] | None = None,
) -> Healing | None:
    """Examine the stack, and repair these services; None where nothing can be done by itself.

    Containers are started, restarted or recreated, and nginx is reloaded. No process is ended, no
    container of others is touched, and a service whose port somebody has is left alone. `spared`:
    services that stay as they are. `causes`: only these; None: all that doctor can repair.
    """
    deps = replace(deps, screen=deps.screen.silent())
    environment = as_it_runs(request.environment, deps=deps, quiet=True)
    examination = examine(replace(request.examine, environment=environment), deps=deps)
    findings = [row for row in examination.diagnosis.findings if row.service in services]
    if causes is not None:
        findings = [row for row in findings if row.cause in causes]
    plan = safe_plan([_counted(row) for row in findings], examination.facts, spared)
    if not plan.steps or examination.files_error:
        return None
    named = tuple(dict.fromkeys(step.service for step in plan.steps))
    actions = tuple(step.action.value for step in plan.steps)
    command = examination.facts.commands.doctor
    executor = RepairExecutor(examination, request.environment, _ANSWERS, command, deps=deps)
    run = RepairRun(plan, examination, executor, _ANSWERS, verb=VERB, deps=deps)
    try:
        outcome = run.carry_out()
    except Refused as error:
        return Healing(named, is_good=False, text=f"not healed: {error.message}", actions=actions)
    failed = [f"{event.what}: {event.result}" for _, event in outcome.steps if not event.is_good]
    if failed:
        text = f"could not heal {', '.join(named)}: {'; '.join(failed)}"
        return Healing(named, is_good=False, text=text, actions=actions)
    done = ", ".join(step.line for step in plan.steps)
    return Healing(named, is_good=True, text=f"healed: {done}", actions=actions)


def _counted(finding: Finding) -> Finding:
    """Return the finding; a lost port counts also where doctor has not met a user who needs it."""
    if finding.cause is Cause.NO_PORTS:
        return replace(finding, harmless=False)
    return finding
