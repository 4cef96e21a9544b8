"""Preview what a policy would do about the conflicts, for --dry-run. Does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dartsctl.ports.choices import (
    ResolutionRequest,
    choices,
    is_removal_named,
    is_spared,
    line,
    remedy,
)
from dartsctl.ports.holders.kinds import PRODUCTION_STOPS, ResolutionAction
from dartsctl.ports.resolution import ResolutionStep, decide, unanswered
from dartsctl.records import record
from dartsctl.workflows.up.ask import flags_for, subject

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.ports.cases import Case


@record
class ResolutionPreview:
    """What would be done.

    `steps` are empty where a case has no answer: then nothing is done. `left` are these cases, each
    with the reason. `needs_yes`: a confirmation comes first.
    """

    steps: tuple[ResolutionStep, ...] = ()
    left: tuple[tuple[Case, str], ...] = ()
    needs_yes: bool = False
    moves: tuple[str, ...] = ()
    """Each port and name that would move, with the new one."""

    @property
    def lines(self) -> tuple[str, ...]:
        """For people; empty where there is nothing to resolve."""
        condition = ", after confirmation (or --yes)" if self.needs_yes else ""
        lines = []
        steps = [step for step in self.steps if not self._is_in_moves(step)]
        for step in steps:
            action = line(step.action, step.case)
            lines.append(f"would do{condition}: {action} [{subject(step.case)}]")
        lines += [f"would move: {move}" for move in self.moves]
        for case, why in self.left:
            lines.append(f"would stay unresolved: {subject(case)}: {why}")
        if self.left:
            lines.append("nothing would be done")
        return tuple(lines)

    @property
    def moves_all(self) -> bool:
        """Whether every conflict ends because this stack moves."""
        return bool(self.moves) and all(map(self._is_in_moves, self.steps))

    def _is_in_moves(self, step: ResolutionStep) -> bool:
        return bool(self.moves) and step.action is ResolutionAction.REMAP

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "plan": list(map(_step_document, self.steps)),
            "not_done": [
                {"action": "none", "what": subject(case), "why": why} for case, why in self.left
            ],
            "moves": list(self.moves),
            "needs_yes": self.needs_yes,
        }


def _step_document(step: ResolutionStep) -> dict[str, Any]:
    return {
        "action": step.action.value,
        "what": line(step.action, step.case),
        "why": subject(step.case),
    }


def preview_of(
    cases: Sequence[Case], request: ResolutionRequest, *, yes: bool
) -> ResolutionPreview:
    """Return what would become of the cases. Where a person would be asked, that is not known."""
    if left := unanswered(cases, request):
        return ResolutionPreview(left=tuple((case, _why(case, request)) for case in left))
    plan = decide(cases, request, lambda _case, _offered: ResolutionAction.ABORT)
    return ResolutionPreview(plan, needs_yes=not yes and asks_first(plan, request))


def asks_first(plan: Sequence[ResolutionStep], request: ResolutionRequest) -> bool:
    """Return whether a plan that nobody has chosen step by step needs a yes."""
    if request.policy == "stop" and plan:
        return True
    return any(
        step.action is ResolutionAction.REMOVE_CONTAINER and is_removal_named(step.case, request)
        for step in plan
    )


def _why(case: Case, request: ResolutionRequest) -> str:
    """The reason why a case would not be resolved."""
    offered = choices(case, request)
    if is_spared(case, request):
        return f"production's, {PRODUCTION_STOPS}"
    if len(offered) == 1:
        return remedy(case) or "nothing can be done about it from here"
    if request.policy == "ask":
        return f"a person would be asked; without one: {flags_for(offered)}"
    return f"--on-conflict {request.policy} has no answer to it; others: {flags_for(offered)}"
