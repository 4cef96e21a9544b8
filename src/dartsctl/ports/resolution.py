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
    settled = _Settled()
    for step in plan:
        settled.add(step)
    return tuple(step for step in plan if not _is_superfluous(step, settled))


def _is_superfluous(step: ResolutionStep, settled: _Settled) -> bool:
    """Whether all bindings that a step is for have moved away by other steps."""
    return step.action is not ResolutionAction.REMAP and settled.moves_all_of(step.case)


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
    settled = _Settled()
    for case in sorted(cases, key=lambda case: _has_no_way_out(case, request)):
        if settled.includes(case):
            continue
        action = _answer(case, choices(case, request), request, choose)
        step = ResolutionStep(action, case)
        yield step
        settled.add(step)


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


class _Settled:
    """What the steps of a plan take care of, beside the cases that they are for."""

    def __init__(self) -> None:
        self._moved: set[Conflict] = set()
        self._rivals: set[RivalBinding] = set()
        """The bindings that are published elsewhere, as other bindings' holders."""
        self._stopped: set[object] = set()
        """The projects, containers and units that are stopped or removed."""

    def add(self, step: ResolutionStep) -> None:
        case = step.case
        match step.action:
            case ResolutionAction.REMAP:
                self._moved.update(case.conflicts)
                self._rivals.update(map(RivalBinding.of, case.bindings))
            case ResolutionAction.STOP_PROJECT:
                self._stopped.add(project_of(case))
            case ResolutionAction.REMOVE_CONTAINER:
                self._stopped.add(container_in(case))
            case ResolutionAction.STOP_UNIT:
                self._stopped.add(case.unit)

    def moves_all_of(self, case: Case) -> bool:
        """Return whether every binding of a case is published elsewhere. It has one at least."""
        return bool(case.conflicts) and self._moved.issuperset(case.conflicts)

    def includes(self, case: Case) -> bool:
        """Return whether an earlier step takes care of this case too."""
        if self.moves_all_of(case):
            return True
        if isinstance(case.holder, RivalBinding):
            return case.holder in self._rivals
        return not self._stopped.isdisjoint(_ends_with(case))


def _ends_with(case: Case) -> Iterator[object]:
    """Yield what takes the holder of a case with it when it is stopped.

    That is its project, the container, or the unit. A container name stays taken when its project
    is stopped.
    """
    if case.kind is not HolderKind.NAME:
        yield from filter(None, [project_of(case)])
    for reason in (container_in(case), case.unit):
        if reason is not None:
            yield reason
