"""The resolution: from the cases of a preflight and the choices made to a plan.

It only decides; nothing here signals, stops or asks. `workflows/up/carry_out.py` carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from dartsctl.ports.cases import Case, container_in, project_of
from dartsctl.ports.choices import (
    Choice,
    ResolutionRequest,
    by_policy,
    choices,
    is_own_rival,
    is_removal_named,
    may_move,
)
from dartsctl.ports.holders import RivalBinding
from dartsctl.ports.holders.kinds import HolderKind, ResolutionAction
from dartsctl.records import record

if TYPE_CHECKING:
    from dartsctl.ports.conflicts import Conflict


@record
class ResolutionStep:
    """One action of the plan, on one case."""

    action: ResolutionAction
    case: Case


Choose = Callable[[Case, Sequence[Choice]], ResolutionAction]


def decide(
    cases: Sequence[Case], request: ResolutionRequest, choose: Choose
) -> tuple[ResolutionStep, ...]:
    """Return the plan: one step a case, none for a case that another step settles.

    Empty when somebody aborts, when the policy has no answer, or when a case has no way out. In the
    last case nobody is asked and nothing is stopped.
    """
    if dead_ends(cases, request):
        return ()
    plan: list[ResolutionStep] = []
    for step in _walk(cases, request, choose):
        if step.action is ResolutionAction.ABORT:
            return ()
        plan.append(step)
    return tuple(step for step in plan if not _is_superfluous(step, plan))


def _is_superfluous(step: ResolutionStep, plan: Sequence[ResolutionStep]) -> bool:
    """Whether all bindings that a step is for have moved away by other steps."""
    conflicts = set(step.case.conflicts)
    is_remap = step.action is ResolutionAction.REMAP
    return bool(conflicts) and not is_remap and conflicts <= _moved(plan)


def unanswered(cases: Sequence[Case], request: ResolutionRequest) -> tuple[Case, ...]:
    """Return the cases that the policy has no answer for. One of them, and nothing is done."""
    steps = _walk(cases, request, lambda _case, _offered: ResolutionAction.ABORT)
    return tuple(step.case for step in steps if step.action is ResolutionAction.ABORT)


def _walk(
    cases: Sequence[Case], request: ResolutionRequest, choose: Choose
) -> Iterator[ResolutionStep]:
    """Yield the answer to each case that no earlier step settles.

    Cases without a way out come last: the steps of the others may settle them.
    """
    plan: list[ResolutionStep] = []
    for case in sorted(cases, key=lambda case: _has_no_way_out(case, request)):
        if _is_settled(case, plan):
            continue
        action = _answer(case, choices(case, request), request, choose)
        step = ResolutionStep(action, case)
        yield step
        if action is not ResolutionAction.ABORT:
            plan.append(step)


def _answer(
    case: Case, offered: Sequence[Choice], request: ResolutionRequest, choose: Choose
) -> ResolutionAction:
    is_removable = any(choice.action is ResolutionAction.REMOVE_CONTAINER for choice in offered)
    if is_removable and is_removal_named(case, request):
        return ResolutionAction.REMOVE_CONTAINER
    if request.policy == "ask" and len(offered) > 1:
        return choose(case, offered)
    return by_policy(request.policy, offered)


def dead_ends(cases: Sequence[Case], request: ResolutionRequest) -> tuple[Case, ...]:
    """Return the cases that nothing can be done about.

    They have no choice of their own, and the move of no other case might settle them.
    """
    others_may_move = any(may_move(case, request) for case in cases)
    stuck = []
    for case in cases:
        may_be_settled = others_may_move and _may_settle_by_moves(case)
        if _has_no_way_out(case, request) and not may_be_settled:
            stuck.append(case)
    return tuple(stuck)


def _may_settle_by_moves(case: Case) -> bool:
    return case.kind is HolderKind.SAME_STACK and not is_own_rival(case)


def _has_no_way_out(case: Case, request: ResolutionRequest) -> bool:
    return len(choices(case, request)) == 1


def _is_settled(case: Case, plan: Sequence[ResolutionStep]) -> bool:
    """Whether an earlier step takes care of this case too."""
    moved = _moved(plan)
    if case.conflicts and set(case.conflicts) <= moved:
        return True
    if isinstance(case.holder, RivalBinding):
        return any(RivalBinding.of(conflict.binding) == case.holder for conflict in moved)
    return any(_ends_with(case, step) for step in plan)


def _moved(plan: Sequence[ResolutionStep]) -> set[Conflict]:
    """The conflicts whose bindings a plan publishes elsewhere."""
    moved: set[Conflict] = set()
    for step in plan:
        if step.action is ResolutionAction.REMAP:
            moved.update(step.case.conflicts)
    return moved


def _ends_with(case: Case, step: ResolutionStep) -> bool:
    """Whether the holder of `case` goes with what `step` stops.

    That is a container of the same project, the same container, or the same unit. A container name
    stays taken when its project is stopped.
    """
    match step.action:
        case ResolutionAction.STOP_PROJECT:
            project = project_of(case)
            is_name = case.kind is HolderKind.NAME
            return bool(project) and not is_name and project == project_of(step.case)
        case ResolutionAction.REMOVE_CONTAINER:
            container = container_in(case)
            return container is not None and container == container_in(step.case)
        case ResolutionAction.STOP_UNIT:
            return case.unit is not None and case.unit == step.case.unit
    return False
