"""Verify a repair: examine the stack again until it is healthy or nothing more can be expected."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dartsctl.diagnosis.findings import Cause, Finding
from dartsctl.diagnosis.incident import Afterwards
from dartsctl.diagnosis.repair_plan import RepairPlan, settling

if TYPE_CHECKING:
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.examine.stack import Examination

_HOPELESS = frozenset(
    {Cause.APP_EXITED, Cause.NEVER_STARTED, Cause.OUT_OF_MEMORY, Cause.PROXY_CANNOT_START}
)
"""Causes of a service that has ended again and does not recover by itself."""
_HOPELESS_LOOKS = 3
"""Examinations in a row with such a cause after which the verification ends."""
_PAUSE = 0.5
"""Seconds between two examinations."""


def verify(
    examine_again: Callable[[], Examination],
    plan: RepairPlan,
    *,
    deadline: float,
    has_worked: bool,
    deps: Deps,
) -> Afterwards:
    """Examine the stack until everything that the plan was made for is gone.

    Ends after `deadline` seconds, after a service has ended again, or at once if no step has
    worked.
    """
    until = deps.monotonic() + deadline
    by_hand = {(row.finding.cause, row.finding.service) for row in plan.by_hand}
    hopeless, shown = 0, ""
    while True:
        examination = examine_again()
        findings = examination.diagnosis.findings
        left = [finding for finding in findings if (finding.cause, finding.service) not in by_hand]
        hopeless += 1
        if _HOPELESS.isdisjoint(finding.cause for finding in left):
            hopeless = 0
        reason = _reason_to_wait(examination, left, settling(plan, examination.facts))
        is_over = hopeless >= _HOPELESS_LOOKS or deps.monotonic() >= until
        if not has_worked or not reason or is_over:
            return Afterwards.of(examination.facts, examination.diagnosis)
        if reason != shown:
            deps.screen.progress(f"waiting: {reason}")
            shown = reason
        deps.sleep(_PAUSE)


def _reason_to_wait(
    examination: Examination, left: list[Finding], settling_services: tuple[str, ...]
) -> str:
    """Return what may still change by itself; empty if nothing does."""
    if left:
        return left[0].sentence
    symptoms = examination.diagnosis.symptoms
    if symptoms and (settling_services or not examination.diagnosis.findings):
        return symptoms[0]
    if settling_services:
        return f"{', '.join(settling_services)} has just been started"
    return ""
