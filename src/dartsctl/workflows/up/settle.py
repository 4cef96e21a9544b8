"""Resolve what keeps `up` from starting: by a person's choices or by a policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.edges.state.history import History
from dartsctl.edges.state.leases import LeaseBook
from dartsctl.errors import Advice, DartsctlError, ExitCode, Interrupted, Refused
from dartsctl.ports.cases import Case, group_by_holder
from dartsctl.ports.choices import ResolutionRequest, line
from dartsctl.ports.collisions import NameTaken, Paused, taken_by_others
from dartsctl.ports.fixed_addresses import AddressTaken
from dartsctl.ports.holders.kinds import ResolutionAction
from dartsctl.ports.resolution import ResolutionStep, dead_ends, decide
from dartsctl.ports.shared import SharedResource
from dartsctl.records import replace
from dartsctl.workflows.preflight import another_stack, orphans
from dartsctl.workflows.preflight.preflight import Preflight, run_preflight
from dartsctl.workflows.up.ask import ask, ask_for_all
from dartsctl.workflows.up.carry_out import HostInspector, carry_out
from dartsctl.workflows.up.conflict_deps import ConflictDeps
from dartsctl.workflows.up.preview import ResolutionPreview, asks_first, preview_of
from dartsctl.workflows.up.refusal import is_all_within_stack
from dartsctl.workflows.up.remap import MovePlan, plan_moves, remap

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dartsctl.config.environment import Environment
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.preflight.inputs import Intent
    from dartsctl.workflows.up.answers import Answers


def settle(
    before: Preflight,
    plain: Environment,
    answers: Answers,
    *,
    intent: Intent,
    command: str,
    deps: Deps,
) -> tuple[Environment, Preflight]:
    """Resolve the conflicts of a preflight, and run it again.

    `plain` is the environment without overrides. `command` is what was typed. Return the
    environment, with an override where something moved, and the new preflight.
    Raises DartsctlError (7 where a prompt is needed or was aborted), Refused for another stack and
    for moves of production, and Interrupted after a signal.
    """
    another_stack.refuse_unless_copy(before, command)
    can_ask = deps.prompts.interactive and not deps.screen.as_json
    request = _request(answers, before, can_ask=can_ask)
    if request.policy == "fail" and not request.removable:
        return before.environment, before
    _refuse_moves(request, before)
    moved: list[Environment] = []

    def plan_of(cases: Sequence[Case]) -> MovePlan:
        return plan_moves(cases, before, plain, avoid=answers.avoid, deps=deps)

    def move(cases: Sequence[Case]) -> None:
        moved.append(remap(plan_of(cases), plain, deps=deps))

    conflict_deps = _conflict_deps(answers, move, deps)
    plan: tuple[ResolutionStep, ...] = ()
    if not _stays_in_the_way(before):
        plan = _plan(before, request, command, plan_of, conflict_deps)
    if not plan:
        return before.environment, before
    try:
        carry_out(plan, conflict_deps)
    except KeyboardInterrupt:
        raise _interrupted(plan) from None
    environment = moved[-1] if moved else before.environment
    if moved:
        _record_moves(plan, environment, conflict_deps.history)
    return environment, run_preflight(environment, intent, deps=deps)


def _conflict_deps(
    answers: Answers, move: Callable[[Sequence[Case]], None], deps: Deps
) -> ConflictDeps:
    return ConflictDeps(
        prompts=deps.prompts,
        screen=deps.screen,
        engine=deps.engine(),
        host=deps.host,
        history=History(deps.state, warn=deps.screen.warn, masker=deps.screen.masker),
        leases=LeaseBook(deps.state),
        remap=move,
        yes=answers.yes,
        wait_timeout=answers.wait_timeout,
        monotonic=deps.monotonic,
        sleep=deps.sleep,
    )


def preview(
    before: Preflight, answers: Answers, plain: Environment, *, deps: Deps
) -> ResolutionPreview | None:
    """Return what `settle` would do by itself. Raises Refused as `settle` does.

    None without a policy and without a named removal: a person would be asked, or nothing done.
    """
    if answers.policy in (None, "fail") and not answers.removable and not answers.remap_by_itself:
        return None
    request = _request(answers, before, can_ask=False)
    _refuse_moves(request, before)
    seen = preview_of(_cases(before), request, yes=answers.yes)
    moving = [step.case for step in seen.steps if step.action is ResolutionAction.REMAP]
    if not moving:
        return seen
    plan = plan_moves(moving, before, plain, avoid=answers.avoid, deps=deps)
    return replace(seen, moves=plan.lines)


def way_beside(
    before: Preflight, answers: Answers, plain: Environment, *, deps: Deps
) -> tuple[str, ...]:
    """Return what would move if everything that is taken moved, empty if that is no way out."""
    request = replace(_request(answers, before, can_ask=False), policy="remap", remap_only=None)
    if not request.remappable or _stays_in_the_way(before):
        return ()
    if is_all_within_stack(before) or orphans.next_command(before):
        return ()  # what is wrong is at home
    cases = _moving(_cases(before), request)
    if not cases:
        return ()
    return plan_moves(cases, before, plain, avoid=answers.avoid, deps=deps).lines


def _moving(cases: Sequence[Case], request: ResolutionRequest) -> list[Case]:
    """The cases that move if all of them are settled by moves, else none."""
    remapping = replace(request, policy="remap", removable=frozenset())
    plan = decide(cases, remapping, lambda _case, _offered: ResolutionAction.ABORT)
    return [step.case for step in plan]


def _stays_in_the_way(before: Preflight) -> bool:
    """Whether there is a collision that no answer to a conflict ends."""
    moved: set[str] = set()
    for resource in before.shared:
        if resource.kind in ("network", "subnet"):
            moved.add(before.stack.networks[resource.key].name)
    for collision in before.collisions:
        if isinstance(collision, AddressTaken) and collision.network not in moved:
            return True
        if isinstance(collision, Paused):
            return True
    return False


def _request(answers: Answers, before: Preflight, *, can_ask: bool) -> ResolutionRequest:
    """The given policy, else a prompt, else moves of the services that may move by themselves."""
    is_production = before.environment.is_production
    may_move_only = None
    if answers.policy:
        policy = answers.policy
    elif can_ask:
        policy = "ask"
    elif answers.remap_by_itself:
        policy, may_move_only = "remap", answers.remap_by_itself
    else:
        policy = "fail"
    return ResolutionRequest(
        policy,
        remappable=answers.remappable and not is_production,
        production_project=answers.production_project,
        is_for_production=is_production or before.stack.project == answers.production_project,
        removable=answers.removable,
        remap_only=may_move_only,
    )


def _refuse_moves(request: ResolutionRequest, before: Preflight) -> None:
    if request.policy != "remap" or request.remappable:
        return
    if before.environment.is_production:
        whose = "production's ports"
    else:
        whose = "ports of files without settings"
    raise Refused(
        f"{whose} are never moved", hint=Advice("free the port: --on-conflict ask, stop or wait")
    )


def _cases(before: Preflight) -> tuple[Case, ...]:
    taken = taken_by_others(before.collisions)
    return group_by_holder(before.verdicts.conflicts, taken, before.stack, HostInspector())


def _plan(
    before: Preflight,
    request: ResolutionRequest,
    command: str,
    plan_of: Callable[[Sequence[Case]], MovePlan],
    deps: ConflictDeps,
) -> tuple[ResolutionStep, ...]:
    """The plan; empty where a case has no way out: then the refusal names what is in the way."""
    cases = _cases(before)
    if dead_ends(cases, request):
        return ()
    was_asked = request.policy == "ask"
    if request.policy == "ask" and len(cases) > 1 and not request.removable:
        request = _asked_for_all(cases, request, before.stack.project, plan_of, deps)
    plan = decide(cases, request, ask(deps.prompts, deps.screen))
    if was_asked and cases and not plan:
        raise DartsctlError(
            "aborted; nothing was changed",
            hint=command,
            code=ExitCode.ANSWER_NEEDED,
        )
    if not deps.yes and asks_first(plan, request):
        _confirm(plan, request, deps)
    return plan


def _asked_for_all(
    cases: Sequence[Case],
    request: ResolutionRequest,
    project: str,
    plan_of: Callable[[Sequence[Case]], MovePlan],
    deps: ConflictDeps,
) -> ResolutionRequest:
    """Ask once whether everything moves, where that is a way out. Return the request for the rest.

    Abort is the policy "fail": it has no answer to anything.
    """
    moving = _moving(cases, request)
    if len(moving) < 2:  # one question anyway
        return request
    choice = ask_for_all(plan_of(moving).lines, project, deps.prompts, deps.screen)
    return replace(request, policy=choice)


def _confirm(
    plan: Sequence[ResolutionStep], request: ResolutionRequest, deps: ConflictDeps
) -> None:
    """Ask for the yes that flags alone do not give (--yes does)."""
    lines = "; ".join(line(step.action, step.case) for step in plan)
    words = [f"--remove-container {name}" for name in sorted(request.removable)]
    if request.policy == "stop":
        words.insert(0, "--on-conflict stop")
    flags = " ".join([*words, "--yes"])
    if not deps.prompts.confirm(f"{lines}?", flags=Advice(f"add --yes: {flags}")):
        raise DartsctlError(
            "nothing was changed",
            hint=Advice(f"{flags} does it without a prompt"),
            code=ExitCode.ANSWER_NEEDED,
        )


def _interrupted(plan: Sequence[ResolutionStep]) -> Interrupted:
    """A signal that was sent cannot be taken back: then the machine is not called unchanged."""
    if all(step.action in (ResolutionAction.WAIT, ResolutionAction.REMAP) for step in plan):
        return Interrupted("interrupted; nothing was stopped or started")
    return Interrupted(
        "interrupted; what was stopped or asked to end stays so; nothing was started",
        hint="dartsctl history",
    )


def _record_moves(
    plan: Sequence[ResolutionStep], environment: Environment, history: History
) -> None:
    override = str(environment.files[-1])
    for step in plan:
        if step.action is ResolutionAction.REMAP:
            holder = step.case.holder
            what, why = ", ".join(step.case.services), "a port was taken"
            if isinstance(holder, NameTaken):
                why = "a container name was taken"
            if isinstance(holder, SharedResource):
                what, why = f"{holder.kind} {holder.key}", f"{holder.owner} has {holder.name}"
            history.add("remap", what, why, override=override)
