"""What a policy would do about the conflicts of a preflight, for --dry-run: in words and as JSON. Does nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dartsctl.ports import resolution
from dartsctl.ports.cases import Case
from dartsctl.ports.resolution import ResolutionAction, ResolutionRequest, ResolutionStep
from dartsctl.workflows.up.carry_out import flags_for, subject


@dataclass(frozen=True, slots=True)
class ResolutionPreview:
    """`steps` would be done; nothing of them where a case is left that has no answer. `needs_yes`: a question comes first."""

    steps: tuple[ResolutionStep, ...] = ()
    left: tuple[tuple[Case, str], ...] = ()
    """What would not be settled, and why."""
    needs_yes: bool = False

    @property
    def lines(self) -> tuple[str, ...]:
        """For people; nothing where there is nothing to settle."""
        condition = ", after a yes (--yes gives it)" if self.needs_yes else ""
        done = [
            f"would do{condition}: {resolution.line(step.action, step.case)} [{subject(step.case)}]"
            for step in self.steps
        ]
        not_done = [f"would not be settled: {subject(case)}: {why}" for case, why in self.left]
        return (*done, *not_done, *(["so nothing would be done"] if self.left else []))

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "plan": [_step(step) for step in self.steps],
            "not_done": [
                {"action": "none", "what": subject(case), "why": why} for case, why in self.left
            ],
            "needs_yes": self.needs_yes,
        }


def _step(step: ResolutionStep) -> dict[str, Any]:
    return {
        "action": step.action.value,
        "what": resolution.line(step.action, step.case),
        "why": subject(step.case),
    }


def preview_of(
    found: Sequence[Case], request: ResolutionRequest, *, yes: bool
) -> ResolutionPreview:
    """What would become of `found`. Where a person would be asked, nothing is foretold."""
    if left := resolution.unanswered(found, request):
        return ResolutionPreview(left=tuple((case, _why(case, request)) for case in left))
    plan = resolution.decide(found, request, lambda _case, _offered: ResolutionAction.ABORT)
    return ResolutionPreview(plan, needs_yes=not yes and asks_first(plan, request))


def asks_first(plan: Sequence[ResolutionStep], request: ResolutionRequest) -> bool:
    """Whether a plan that nobody has chosen step by step needs a yes."""
    removals = any(
        step.action is ResolutionAction.REMOVE_CONTAINER
        and resolution.is_removal_named(step.case, request)
        for step in plan
    )
    return removals or (request.policy == "stop" and bool(plan))


def _why(case: Case, request: ResolutionRequest) -> str:
    offered = resolution.choices(case, request)
    if resolution.is_spared(case, request):
        return f"production's, {resolution.PRODUCTION_STOPS}"
    if len(offered) == 1:
        return resolution.remedy(case) or "nothing can be done about it from here"
    if request.policy == "ask":
        return f"a person would be asked; without one: {flags_for(offered)}"
    return f"--on-conflict {request.policy} has no answer to it; others: {flags_for(offered)}"
