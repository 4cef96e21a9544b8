"""What stands in the way of an `up`: told and refused, or settled first by a person's choice or a policy (DESIGN 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dartsctl import resolution
from dartsctl.cases import cases
from dartsctl.collisions import NameTaken
from dartsctl.commands import another_stack, report
from dartsctl.commands.moving import ComposeOn, look_again, move
from dartsctl.commands.preflight import Intent, Preflight, engine_at, verdict
from dartsctl.commands.resolve import HostFacts, Means, ask, carry_out
from dartsctl.edges.history import History
from dartsctl.edges.output import Screen
from dartsctl.edges.prompts import Prompts
from dartsctl.environment import Environment
from dartsctl.errors import DartsctlError, ExitCode, Interrupted, Refused
from dartsctl.resolution import Action, Policy, Request, Step
from dartsctl.state_folder import state_folder


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


def refuse(preflight: Preflight, request: Asked, screen: Screen, undone: Sequence[str] = ()) -> None:
    """Raises when the preflight found anything in the way; what is merely uncertain is told and tried. `undone`: what a failed attempt took back."""
    for notice in preflight.notices:
        if notice.code in ("uncertain", "became-ephemeral", "shared-network", "replicas-fixed-port"):
            screen.warn(f"{notice.service}: {notice.sentence}")
    another_stack.refuse(preflight, request.next_command)
    if preflight.is_clear or (request.skip_port_check and not preflight.collisions):
        return
    if screen.as_json:
        more = {"undone": list(undone)} if undone else {}
        screen.document({**report.document(preflight), **more, "exit_code": int(verdict(preflight))})
        raise Reported(ExitCode.CONFLICT)
    conflicts = preflight.answer.conflicts
    details = (*report.conflict_lines(conflicts), *report.collision_lines(preflight.collisions))
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
    refused = preflight.refused
    for one in preflight.objections:
        if one not in refused:
            screen.warn(one.sentence)
    if not refused:
        return
    if screen.as_json:
        screen.document({**report.document(preflight), "exit_code": int(ExitCode.REFUSED)})
        raise Reported(ExitCode.REFUSED)
    from dartsctl.commands.production_checks import refusal

    raise refusal(refused, (*report.conflict_lines(preflight.answer.conflicts), *report.collision_lines(preflight.collisions)))


def settle(
    before: Preflight, request: Asked, plain: Environment, *, compose_on: ComposeOn, prompts: Prompts, screen: Screen
) -> tuple[Environment, Preflight]:
    """Ask, or let the policy answer, carry it out, and look again: the environment (with an override where something moved) and the new preflight.

    `plain` is the environment without overrides. Raises with code 7 where an answer is needed or was "abort", and where a step fails.
    """
    another_stack.refuse_unless_copy(before, request.next_command)
    answers = request.answers
    policy = answers.policy or ("ask" if prompts.interactive and not screen.as_json else "remap" if answers.remap_by_itself else "fail")
    if policy == "fail":
        return before.environment, before
    if policy == "remap" and not (answers.remappable and not plain.is_production):
        whose = "production's ports" if plain.is_production else "ports of files without settings"
        raise Refused(f"{whose} are never moved", hint="free the port: --on-conflict ask, stop or wait")
    moved: list[Environment] = []
    means = Means(
        prompts=prompts,
        engine=engine_at(before.engine.endpoint),
        history=History(state_folder(), warn=screen.warn),
        screen=screen,
        remap=lambda cases: moved.append(move(cases, before, plain, compose_on, avoid=answers.avoid, screen=screen)),
        yes=answers.yes,
        wait_timeout=answers.wait_timeout,
    )
    plan = _plan(before, answers, policy, plain, means)
    if not plan:
        return before.environment, before
    try:
        carry_out(plan, means)
    except KeyboardInterrupt:
        raise _interrupted(plan) from None
    for one in moved:
        for step in plan:
            if step.action is Action.REMAP:
                means.history.add("remap", ", ".join(step.case.services), "a port was taken", override=str(one.files[-1]))
    environment = moved[-1] if moved else before.environment
    return environment, look_again(environment, request.intent, compose_on)


def _interrupted(plan: tuple[Step, ...]) -> Interrupted:
    """A signal cannot be taken back: what was asked to end, or has been stopped, is not called unchanged."""
    if all(step.action in (Action.WAIT, Action.REMAP) for step in plan):
        return Interrupted("interrupted; nothing was stopped or started")
    return Interrupted("interrupted; what has been stopped, or asked to end, stays so; nothing was started", hint="dartsctl history")


def _plan(before: Preflight, answers: Answers, policy: Policy, plain: Environment, means: Means) -> tuple[Step, ...]:
    names = [one for one in before.collisions if isinstance(one, NameTaken)]
    found = cases(before.answer.conflicts, names, before.stack, HostFacts())
    asked = Request(
        policy,
        remappable=answers.remappable and not plain.is_production,
        production_project=answers.production_project,
        remap_only=answers.remap_by_itself if answers.policy is None and policy == "remap" else None,
    )
    if resolution.dead_ends(found, asked):
        return ()  # nobody is asked in vain: the refusal names what is in the way
    plan = resolution.decide(found, asked, ask(means))
    if policy == "ask" and found and not plan:
        raise DartsctlError("aborted; nothing was changed", hint="dartsctl check shows it again", code=ExitCode.ANSWER_NEEDED)
    if policy == "stop" and plan and not answers.yes:
        _confirm(plan, means)
    return plan


def _confirm(plan: tuple[Step, ...], means: Means) -> None:
    """`--on-conflict stop` says what, a person or --yes says yes."""
    lines = "; ".join(resolution.line(step.action, step.case) for step in plan)
    if not means.prompts.confirm(f"{lines}?", flags="add --yes: --on-conflict stop --yes"):
        raise DartsctlError("nothing was changed", hint="--on-conflict stop --yes does it without a question", code=ExitCode.ANSWER_NEEDED)
