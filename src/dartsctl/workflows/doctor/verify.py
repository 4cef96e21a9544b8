"""Verify a repair: examine the stack again until it is healthy or nothing more can be expected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.findings import Cause, Finding
from dartsctl.diagnosis.incident import Afterwards
from dartsctl.diagnosis.repair_plan import RepairPlan, settling
from dartsctl.records import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from dartsctl.diagnosis.facts import Facts
    from dartsctl.stack.health_deadline import HealthDeadline
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
    limit: HealthDeadline,
    has_worked: bool,
    deps: Deps,
) -> Afterwards:
    """Examine the stack until everything that the plan was made for is gone.

    Ends at the `limit`, after a service has ended again, or at once if no step has worked. The
    site's own limits are kept: it is not examined more often than they allow.
    """
    until = deps.monotonic() + limit.seconds
    by_hand = {(row.finding.cause, row.finding.service) for row in plan.by_hand}
    hopeless, shown = 0, ""
    while True:
        examination = examine_again()
        facts, findings = examination.facts, examination.diagnosis.findings
        left = [
            finding
            for finding in findings
            if (finding.cause, finding.service) not in by_hand and not finding.is_aside
        ]
        hopeless += 1
        if _HOPELESS.isdisjoint(finding.cause for finding in left):
            hopeless = 0
        reason = _reason_to_wait(examination, left, settling(plan, facts))
        is_over = hopeless >= _HOPELESS_LOOKS or deps.monotonic() >= until
        if not has_worked or not reason or is_over:
            return _afterwards(examination, plan, is_verified=not has_worked or not reason)
        if not shown:
            deps.screen.note(limit.sentence)
        if reason != shown:
            deps.screen.progress(f"waiting: {reason}")
            shown = reason
        deps.sleep(max(_PAUSE, facts.pause))


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
        return _state_of(settling_services[0], examination.facts)
    return next(iter(_unanswered(examination.facts)), "")


def _state_of(name: str, facts: Facts) -> str:
    """Return what a service that was just started is waited for."""
    for container in facts.running(name):
        if container.health == "starting":
            return f"the health check of {name} has not succeeded yet"
    return f"{name} has just been started"


def _unanswered(facts: Facts) -> tuple[str, ...]:
    """Return the requests that the site's own limits refused: they say nothing."""
    return tuple(f"{http.url} {http.answer}" for http in facts.http if http.limited)


def _afterwards(examination: Examination, plan: RepairPlan, *, is_verified: bool) -> Afterwards:
    """Return the result. What was never answered is not verified."""
    repaired = None if plan.starts_stack else {step.service for step in plan.steps}
    result = Afterwards.of(examination.facts, examination.diagnosis, repaired)
    unanswered = _unanswered(examination.facts)
    if is_verified or result.left or not unanswered:
        return result
    return replace(result, left=tuple(f"not verified: {line}" for line in unanswered))
