"""What stands in the way of an `up`: told and refused, or settled first by a person's choice or a policy (DESIGN 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dartsctl.config.environment import Environment
from dartsctl.edges.screen.output import Screen
from dartsctl.edges.state.history import History
from dartsctl.errors import DartsctlError, ExitCode, Interrupted, Refused
from dartsctl.ports import choices, resolution
from dartsctl.ports.cases import Case, group_by_holder
from dartsctl.ports.choices import Policy, ResolutionRequest
from dartsctl.ports.collisions import NameTaken
from dartsctl.ports.holders import ForeignContainer
from dartsctl.ports.holders.kinds import ResolutionAction
from dartsctl.ports.resolution import ResolutionStep
from dartsctl.workflows.deps import Deps
from dartsctl.workflows.up import another_stack, report
from dartsctl.workflows.up.ask import ask
from dartsctl.workflows.up.carry_out import ConflictDeps, HostInspector, carry_out
from dartsctl.workflows.up.preflight import Intent, Preflight, run_preflight
from dartsctl.workflows.up.preview import ResolutionPreview, asks_first, preview_of
from dartsctl.workflows.up.remap import move


@dataclass(frozen=True, slots=True)
class Answers:
    """How conflicts are answered in one run. Without a `policy`: ask at a terminal, else fail."""

    policy: Policy | None = None
    yes: bool = False
    wait_timeout: float = 120.0
    """Seconds that the policy "wait", or that choice, may take."""
    avoid: frozenset[int] = frozenset()
    """Numbers that a moved binding must not get: production's, and the dev range."""
    production_project: str = ""
    """Nothing of it is stopped for another stack."""
    removable: frozenset[str] = frozenset()
    """The containers that --remove-container names."""
    remappable: bool = True
    """False for files without settings: only `up` of an environment would use the override. Production's never are."""
    remap_by_itself: frozenset[str] = frozenset()
    """Services that may move without being asked where nobody is there to ask: the host server is told their real addresses."""


class Asked(Protocol):
    """What this step needs to know of an `up`."""

    @property
    def environment(self) -> Environment: ...

    @property
    def intent(self) -> Intent: ...

    @property
    def next_command(self) -> str: ...

    @property
    def skip_port_check(self) -> bool: ...

    @property
    def answers(self) -> Answers: ...


class Reported(DartsctlError):
    """The JSON document has been written already; only the exit code is left."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__("", code=code)


def refuse(
    preflight: Preflight,
    request: Asked,
    screen: Screen,
    undone: Sequence[str] = (),
    preview: ResolutionPreview | None = None,
) -> None:
    """Raises when the preflight found anything in the way; what is merely uncertain is told and tried.

    `undone`: what a failed attempt took back; `preview`: what a policy would do about it (--dry-run).
    """
    for notice in preflight.notices:
        if notice.code in (
            "uncertain",
            "became-ephemeral",
            "shared-network",
            "replicas-fixed-port",
        ):
            screen.warn(f"{notice.service}: {notice.sentence}")
    if preview is None or not preview.steps:  # else ours would get another name first
        another_stack.refuse(preflight, request.next_command)
    if preflight.is_clear or (request.skip_port_check and not preflight.collisions):
        return
    if screen.as_json:
        more: dict[str, object] = {"undone": list(undone)} if undone else {}
        more |= preview.document() if preview else {}
        screen.document({**report.document(preflight), **more, "exit_code": int(ExitCode.CONFLICT)})
        raise Reported(ExitCode.CONFLICT)
    conflicts = preflight.verdicts.conflicts
    whose = production_lines(preflight, request.answers, request.environment)
    details = (
        *report.obstacle_lines(preflight),
        *whose,
        *(preview.lines if preview else ()),
    )
    services = len({conflict.binding.service for conflict in conflicts}) + len(preflight.collisions)
    raise DartsctlError(
        f"{services} service{'s' if services > 1 else ''} of {preflight.stack.project} cannot start; nothing was changed",
        details=details,
        hint=f"free what is named above, then: {request.next_command}",
        code=ExitCode.CONFLICT,
    )


def refuse_unsafe(preflight: Preflight, screen: Screen) -> None:
    """Raises Refused (4) where production would start with weak secrets or a bad certificate, and tells conflicts and collisions with it.

    Before anything is settled: nobody is asked to stop a process for a stack that is refused anyway.
    """
    refused = preflight.blocking_objections
    for one in preflight.objections:
        if one not in refused:
            screen.warn(one.sentence)
    if not refused:
        return
    if screen.as_json:
        screen.document({**report.document(preflight), "exit_code": int(ExitCode.REFUSED)})
        raise Reported(ExitCode.REFUSED)
    from dartsctl.workflows.up.production_checks import unsafe_error

    raise unsafe_error(refused, report.obstacle_lines(preflight))


def settle(
    before: Preflight,
    request: Asked,
    plain: Environment,
    *,
    deps: Deps,
) -> tuple[Environment, Preflight]:
    """Ask, or let the policy answer, carry it out, and look again: the environment (with an override where something moved) and the new preflight.

    `plain` is the environment without overrides. Raises with code 7 where an answer is needed or was "abort", and where a step fails.
    """
    another_stack.refuse_unless_copy(before, request.next_command)
    answers, screen = request.answers, deps.screen
    asked = _request(
        answers, before, plain, is_person_there=deps.prompts.interactive and not screen.as_json
    )
    policy = asked.policy
    if policy == "fail" and not asked.removable:
        return before.environment, before
    _refuse_moves(asked, plain)
    moved: list[Environment] = []
    conflict_deps = ConflictDeps(
        prompts=deps.prompts,
        engine=deps.engine(),
        history=History(deps.state, warn=screen.warn, masker=screen.masker),
        screen=screen,
        remap=lambda cases: moved.append(
            move(cases, before, plain, avoid=answers.avoid, deps=deps)
        ),
        yes=answers.yes,
        wait_timeout=answers.wait_timeout,
    )
    plan = _plan(before, asked, conflict_deps)
    if not plan:
        return before.environment, before
    try:
        carry_out(plan, conflict_deps)
    except KeyboardInterrupt:
        raise _interrupted(plan) from None
    for one in moved:
        for step in plan:
            if step.action is ResolutionAction.REMAP:
                why = (
                    "a container name was taken"
                    if isinstance(step.case.holder, NameTaken)
                    else "a port was taken"
                )
                conflict_deps.history.add(
                    "remap", ", ".join(step.case.services), why, override=str(one.files[-1])
                )
    environment = moved[-1] if moved else before.environment
    return environment, run_preflight(environment, request.intent, deps=deps)


def _interrupted(plan: tuple[ResolutionStep, ...]) -> Interrupted:
    """A signal cannot be taken back: what was asked to end, or has been stopped, is not called unchanged."""
    if all(step.action in (ResolutionAction.WAIT, ResolutionAction.REMAP) for step in plan):
        return Interrupted("interrupted; nothing was stopped or started")
    return Interrupted(
        "interrupted; what has been stopped, or asked to end, stays so; nothing was started",
        hint="dartsctl history",
    )


def _refuse_moves(asked: ResolutionRequest, plain: Environment) -> None:
    if asked.policy == "remap" and not asked.remappable:
        whose = "production's ports" if plain.is_production else "ports of files without settings"
        raise Refused(
            f"{whose} are never moved", hint="free the port: --on-conflict ask, stop or wait"
        )


def preview(before: Preflight, answers: Answers, plain: Environment) -> ResolutionPreview | None:
    """What `settle` would do by itself; None without a policy or a named removal, where a person would be asked or nothing done.

    Raises Refused as `settle` does.
    """
    if answers.policy in (None, "fail") and not answers.removable and not answers.remap_by_itself:
        return None
    asked = _request(answers, before, plain, is_person_there=False)
    _refuse_moves(asked, plain)
    return preview_of(_cases(before), asked, yes=answers.yes)


def _cases(before: Preflight) -> tuple[Case, ...]:
    names = [collision for collision in before.collisions if isinstance(collision, NameTaken)]
    return group_by_holder(before.verdicts.conflicts, names, before.stack, HostInspector())


def _request(
    answers: Answers, before: Preflight, plain: Environment, *, is_person_there: bool
) -> ResolutionRequest:
    """How conflicts are to be resolved: as was said, else by asking, else dev's own services that tell their address move."""
    by_itself: Policy = "remap" if answers.remap_by_itself else "fail"
    policy = answers.policy or ("ask" if is_person_there else by_itself)
    return ResolutionRequest(
        policy,
        remappable=answers.remappable and not plain.is_production,
        production_project=answers.production_project,
        is_for_production=plain.is_production or before.stack.project == answers.production_project,
        removable=answers.removable,
        remap_only=answers.remap_by_itself
        if answers.policy is None and policy == "remap"
        else None,
    )


def _plan(
    before: Preflight, asked: ResolutionRequest, deps: ConflictDeps
) -> tuple[ResolutionStep, ...]:
    found = _cases(before)
    if resolution.dead_ends(found, asked):
        return ()  # nobody is asked in vain: the refusal names what is in the way
    plan = resolution.decide(found, asked, ask(deps.prompts, deps.screen))
    if asked.policy == "ask" and found and not plan:
        raise DartsctlError(
            "aborted; nothing was changed",
            hint="dartsctl check shows it again",
            code=ExitCode.ANSWER_NEEDED,
        )
    if not deps.yes and asks_first(plan, asked):
        _confirm(plan, asked, deps)
    return plan


def warn_of_unneeded_removals(before: Preflight, answers: Answers, screen: Screen) -> None:
    """Say which containers --remove-container names in vain: only one that has a wanted name is removed."""
    taken = {
        collision.container.name
        for collision in before.collisions
        if isinstance(collision, NameTaken)
    }
    for name in sorted(answers.removable - taken):
        screen.warn(
            f"--remove-container {name}: no container of that name is in the way; nothing is removed for it"
        )


def production_lines(before: Preflight, answers: Answers, plain: Environment) -> list[str]:
    """Which containers in the way are production's, and what stops them; nothing for production itself."""
    if plain.is_production or before.stack.project == answers.production_project:
        return []
    holders = [
        *(holder for conflict in before.verdicts.conflicts for holder in conflict.holders),
        *before.collisions,
    ]
    found = [
        holder.container for holder in holders if isinstance(holder, ForeignContainer | NameTaken)
    ]
    names = dict.fromkeys(
        container.name
        for container in found
        if answers.production_project and container.project == answers.production_project
    )
    return [f"{name} is production's: {choices.PRODUCTION_STOPS}" for name in names]


def _confirm(
    plan: tuple[ResolutionStep, ...], asked: ResolutionRequest, deps: ConflictDeps
) -> None:
    """What is said beforehand by flags still wants a yes: a person's, or --yes."""
    lines = "; ".join(choices.line(step.action, step.case) for step in plan)
    words = [f"--remove-container {name}" for name in sorted(asked.removable)]
    words = [*(["--on-conflict stop"] if asked.policy == "stop" else []), *words, "--yes"]
    if not deps.prompts.confirm(f"{lines}?", flags=f"add --yes: {' '.join(words)}"):
        raise DartsctlError(
            "nothing was changed",
            hint=f"{' '.join(words)} does it without a question",
            code=ExitCode.ANSWER_NEEDED,
        )
