"""What can be done about a conflict: for each kind of holder the choices, safest first, and from the choices made to a plan (DESIGN 4).

Decides only; nothing here signals, stops or asks. The plan is carried out by workflows/up/carry_out.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from dartsctl.ports.cases import (
    Case,
    HolderKind,
    container_in,
    container_of,
    keeper_of,
    process_of,
    project_of,
)
from dartsctl.ports.collisions import NameTaken
from dartsctl.ports.conflicts import Conflict, wish
from dartsctl.ports.holders import DevLease, HostProcess, SameStack, Unknown

Policy = Literal["ask", "fail", "stop", "remap", "wait"]


class ResolutionAction(Enum):
    """What can be done; the values are the words of the policies and of the history."""

    STOP_SERVER = "stop-server"
    STOP_PROCESS = "stop-process"
    STOP_UNIT = "stop-unit"
    STOP_CONTAINER = "stop-container"
    STOP_PROJECT = "stop-project"
    REMOVE_CONTAINER = "remove-container"
    REMAP = "remap"
    WAIT = "wait"
    ABORT = "abort"


_A = ResolutionAction
CHOICES: Mapping[HolderKind, tuple[ResolutionAction, ...]] = {
    HolderKind.DEV_SERVER: (_A.STOP_SERVER, _A.REMAP, _A.WAIT, _A.ABORT),
    HolderKind.PROCESS: (_A.REMAP, _A.WAIT, _A.STOP_PROCESS, _A.ABORT),
    HolderKind.RELOADER: (_A.REMAP, _A.WAIT, _A.STOP_PROCESS, _A.ABORT),
    HolderKind.MANAGED: (_A.REMAP, _A.WAIT, _A.STOP_UNIT, _A.ABORT),
    HolderKind.SUPERVISED: (_A.REMAP, _A.WAIT, _A.STOP_PROCESS, _A.ABORT),
    HolderKind.OTHER_USER: (_A.REMAP, _A.WAIT, _A.ABORT),
    HolderKind.PROTECTED: (_A.REMAP, _A.WAIT, _A.ABORT),
    HolderKind.AIRPLAY: (_A.REMAP, _A.WAIT, _A.ABORT),
    HolderKind.CONTAINER: (_A.REMAP, _A.WAIT, _A.STOP_CONTAINER, _A.STOP_PROJECT, _A.ABORT),
    HolderKind.LONE_CONTAINER: (_A.REMAP, _A.WAIT, _A.STOP_CONTAINER, _A.ABORT),
    HolderKind.HOST_NETWORK: (_A.REMAP, _A.WAIT, _A.STOP_CONTAINER, _A.ABORT),
    HolderKind.ORPHAN: (_A.STOP_CONTAINER, _A.REMAP, _A.ABORT),
    HolderKind.OWN: (_A.REMAP, _A.ABORT),
    HolderKind.SAME_STACK: (_A.REMAP, _A.ABORT),
    HolderKind.NAME: (_A.REMAP, _A.REMOVE_CONTAINER, _A.ABORT),
    HolderKind.CONNECTION: (_A.REMAP, _A.WAIT, _A.ABORT),
    HolderKind.UNKNOWN: (_A.REMAP, _A.WAIT, _A.ABORT),
    HolderKind.NOBODY: (_A.ABORT,),
}
"""Safest first. What production publishes never moves: REMAP falls away there."""

PRODUCTION_STOPS = "only `dartsctl prod down` stops it"

CONFIRMED_BY_NAME = frozenset({_A.STOP_CONTAINER, _A.STOP_PROJECT, _A.REMOVE_CONTAINER})


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that can be done. `line` says exactly what will happen; `type_first` must be typed before it does."""

    action: ResolutionAction
    line: str
    type_first: str = ""


@dataclass(frozen=True, slots=True)
class ResolutionStep:
    """One action of the plan, on one case."""

    action: ResolutionAction
    case: Case


@dataclass(frozen=True, slots=True)
class ResolutionRequest:
    """How conflicts are to be resolved. `remappable`: production's ports never are."""

    policy: Policy
    remappable: bool
    production_project: str = ""
    """Nothing of this project is stopped for any other one. For production itself its name must be typed."""
    is_for_production: bool = False
    removable: frozenset[str] = frozenset()
    """The containers that may be removed without a question where they have a name that is wanted (--remove-container)."""
    remap_only: frozenset[str] | None = None
    """Where set, only these services are moved (nobody was asked, but the host server is told their real addresses)."""


Choose = Callable[[Case, Sequence[Choice]], ResolutionAction]


def choices(case: Case, request: ResolutionRequest) -> tuple[Choice, ...]:
    """What can be done about one case, safest first."""
    actions = [action for action in CHOICES[case.kind] if _is_offered(action, case, request)]
    return tuple(
        Choice(action, _line(action, case, request), _typed(action, case, request))
        for action in actions
    )


def _is_offered(action: ResolutionAction, case: Case, request: ResolutionRequest) -> bool:
    if action is ResolutionAction.REMAP:
        return _may_move(case, request)
    return action not in CONFIRMED_BY_NAME or not is_spared(case, request)


def is_spared(case: Case, request: ResolutionRequest) -> bool:
    """Whether the container in the way is production's, and the wish is another stack's: then only production's own commands stop it."""
    return (
        not request.is_for_production
        and bool(request.production_project)
        and project_of(case) == request.production_project
    )


def _may_move(case: Case, request: ResolutionRequest) -> bool:
    """Production's ports never move; replicas of one service that share a fixed port gain nothing by it."""
    is_movable = bool(case.conflicts) or case.kind is HolderKind.NAME
    if (
        not request.remappable
        or not is_movable
        or any(_is_own_rival(conflict) for conflict in case.conflicts)
    ):
        return False
    return request.remap_only is None or set(case.services) <= request.remap_only


def _is_own_rival(conflict: Conflict) -> bool:
    """Whether the binding stands in its own way (replicas, addresses that meet): on another number it still would."""
    own = conflict.binding.service, wish(conflict.binding)
    return any(
        isinstance(holder, SameStack) and (holder.service, holder.published) == own
        for holder in conflict.holders
    )


def decide(
    found: Sequence[Case], request: ResolutionRequest, choose: Choose
) -> tuple[ResolutionStep, ...]:
    """The plan: one step a case, none for a case that an earlier step settles.

    Empty when somebody aborts, when the policy has no answer, or when a case has no way out: then nobody is asked, and nothing is stopped in vain.
    """
    if dead_ends(found, request):
        return ()
    plan: list[ResolutionStep] = []
    for step in _walk(found, request, choose):
        if step.action is ResolutionAction.ABORT:
            return ()
        plan.append(step)
    moved = _moved(plan)
    return tuple(
        step
        for step in plan
        if step.action is ResolutionAction.REMAP
        or not step.case.conflicts
        or not set(step.case.conflicts) <= moved
    )


def unanswered(found: Sequence[Case], request: ResolutionRequest) -> tuple[Case, ...]:
    """The cases that the policy has no answer for. One of them is enough, and nothing of the plan is done."""
    return tuple(
        step.case
        for step in _walk(found, request, lambda _case, _offered: ResolutionAction.ABORT)
        if step.action is ResolutionAction.ABORT
    )


def _walk(
    found: Sequence[Case], request: ResolutionRequest, choose: Choose
) -> Iterator[ResolutionStep]:
    """The answer to each case that no earlier step settles."""
    plan: list[ResolutionStep] = []
    for case in sorted(
        found, key=lambda case: _has_no_way_out(case, request)
    ):  # these may be settled by the others' steps
        if _settled(case, plan):
            continue
        step = ResolutionStep(_answer(case, choices(case, request), request, choose), case)
        yield step
        if step.action is not ResolutionAction.ABORT:
            plan.append(step)


def _answer(
    case: Case, offered: Sequence[Choice], request: ResolutionRequest, choose: Choose
) -> ResolutionAction:
    if is_removal_named(case, request) and any(
        choice.action is ResolutionAction.REMOVE_CONTAINER for choice in offered
    ):
        return ResolutionAction.REMOVE_CONTAINER
    if request.policy == "ask" and len(offered) > 1:
        return choose(case, offered)
    return by_policy(request.policy, offered)


def is_removal_named(case: Case, request: ResolutionRequest) -> bool:
    """Whether --remove-container names exactly the container that has the wanted name."""
    return case.kind is HolderKind.NAME and container_of(case).name in request.removable


def dead_ends(found: Sequence[Case], request: ResolutionRequest) -> tuple[Case, ...]:
    """The cases that nothing can be done about: no choice of their own, and no other case whose move might settle them."""
    stuck = [case for case in found if _has_no_way_out(case, request)]
    if any(_may_move(case, request) for case in found):
        stuck = [
            case
            for case in stuck
            if case.kind is not HolderKind.SAME_STACK
            or any(_is_own_rival(conflict) for conflict in case.conflicts)
        ]
    return tuple(stuck)


def _has_no_way_out(case: Case, request: ResolutionRequest) -> bool:
    return len(choices(case, request)) == 1


_BY_POLICY: Mapping[str, tuple[ResolutionAction, ...]] = {
    "stop": (_A.STOP_SERVER, _A.STOP_PROCESS, _A.STOP_UNIT, _A.STOP_CONTAINER),
    "remap": (_A.REMAP,),
    "wait": (_A.WAIT,),
}


def by_policy(policy: str, offered: Sequence[Choice]) -> ResolutionAction:
    """The policy's answer among the choices offered; ABORT where it has none.

    "stop" stops one container, never its whole project, and none of production's: its name must be typed, by a person. It removes nothing.
    """
    wanted = _BY_POLICY.get(policy, ())
    return next(
        (choice.action for choice in offered if choice.action in wanted and not choice.type_first),
        ResolutionAction.ABORT,
    )


def _settled(case: Case, plan: Sequence[ResolutionStep]) -> bool:
    """Whether an earlier step takes care of this case too."""
    moved = _moved(plan)
    if case.conflicts and set(case.conflicts) <= moved:
        return True
    if isinstance(case.holder, SameStack):
        return (case.holder.service, case.holder.published) in {
            (conflict.binding.service, wish(conflict.binding)) for conflict in moved
        }
    return any(_ends_with(case, step) for step in plan)


def _moved(plan: Sequence[ResolutionStep]) -> set[Conflict]:
    return {
        conflict
        for step in plan
        if step.action is ResolutionAction.REMAP
        for conflict in step.case.conflicts
    }


def _ends_with(case: Case, step: ResolutionStep) -> bool:
    """Whether the holder of `case` goes with what `step` stops: a container of the same project, the same container, the same unit."""
    match step.action:
        case ResolutionAction.STOP_PROJECT:
            return (
                case.kind is not HolderKind.NAME
                and bool(project_of(case))
                and project_of(case) == project_of(step.case)
            )  # a name stays taken
        case ResolutionAction.REMOVE_CONTAINER:
            return container_in(case) is not None and container_in(case) == container_in(step.case)
        case ResolutionAction.STOP_UNIT:
            return case.unit is not None and case.unit == step.case.unit
    return False


def _typed(action: ResolutionAction, case: Case, request: ResolutionRequest) -> str:
    """A production container is stopped, and any container removed, only by somebody who has typed its name."""
    if action is ResolutionAction.REMOVE_CONTAINER:
        return container_of(case).name
    if (
        action not in CONFIRMED_BY_NAME
        or not request.production_project
        or project_of(case) != request.production_project
    ):
        return ""
    return (
        request.production_project
        if action is ResolutionAction.STOP_PROJECT
        else container_of(case).name
    )


# --- in words -----------------------------------------------------------------------------------------------------------------


def _line(action: ResolutionAction, case: Case, request: ResolutionRequest) -> str:
    if action is ResolutionAction.ABORT and is_spared(case, request):
        return f"abort; nothing is changed (it is production's: {PRODUCTION_STOPS})"
    return line(action, case)


def line(action: ResolutionAction, case: Case) -> str:
    """Exactly what `action` will do about `case`."""
    return _SENTENCES[action](case)


def remedy(case: Case) -> str:
    """What a person can do about a holder that dartsctl leaves alone: a command, or where the setting is. Empty for the others."""
    match case.kind, case.holder:
        case HolderKind.AIRPLAY, _:
            return "System Settings > General > AirDrop & Handoff > AirPlay Receiver: off"
        case HolderKind.OTHER_USER, _ if case.unit:
            return f"sudo {case.unit.stop_command}"
        case (HolderKind.OTHER_USER, HostProcess() | DevLease()):
            return f"sudo kill {' '.join(map(str, _pids(case)))}"
        case HolderKind.PROTECTED, _:
            return f"see what it belongs to: ps -fp {','.join(map(str, _pids(case)))}"
        case HolderKind.UNKNOWN, Unknown(_, look, _):
            return look
    return ""


def _pids(case: Case) -> list[int]:
    """The pids of the processes in the way, a reloader first: it would start the others again."""
    if isinstance(case.holder, DevLease):
        return [case.holder.process.pid] if case.holder.process else []
    own = (
        [case.holder.process.pid, *case.holder.others]
        if isinstance(case.holder, HostProcess)
        else []
    )
    return list(dict.fromkeys([*([case.reloader] if case.reloader else []), *own]))


def _stop_server(case: Case) -> str:
    checkout = case.holder.checkout if isinstance(case.holder, DevLease) else ""
    pid = "".join(f" (pid {pid})" for pid in _pids(case))
    return f"stop the dev server of {checkout}{pid}"


def _stop_process(case: Case) -> str:
    process = process_of(case)
    pids = ", ".join(str(pid) for pid in _pids(case) if pid != case.reloader)
    who = f"{process.name} (pid {pids})" if pids else process.name
    if case.reloader:
        who += f" and the reloader that would start it again (pid {case.reloader})"
    if keeper := keeper_of(process):
        who += f", which {keeper} may start again"
    return f"stop {who}: SIGTERM, and SIGKILL only after a second yes"


def _stop_unit(case: Case) -> str:
    if case.unit is None:
        raise ValueError(f"{case.kind} has no unit")
    return f"{case.unit.stop_command} (pid {', '.join(map(str, _pids(case)))} alone would be started again)"


def _remap(case: Case) -> str:
    if isinstance(case.holder, NameTaken):
        name = case.holder.container.name
        return f"start {case.holder.service} under another container name than {name}, on this machine only, until --reset-ports"
    ports = ", ".join(
        dict.fromkeys(
            f"{conflict.binding.service} on another free port instead of {conflict.binding.published}"
            for conflict in case.conflicts
        )
    )
    return f"publish {ports}, on this machine only, until --reset-ports"


def _described(case: Case) -> str:
    """`shop-db (running) of project shop`."""
    container = container_of(case)
    return f"{container.name} ({container.state})" + (
        f" of project {container.project}" if container.project else ""
    )


def _abort(case: Case) -> str:
    return "abort; nothing is changed" + (
        f" (to free it yourself: {remedy(case)})" if remedy(case) else ""
    )


_SENTENCES: Mapping[ResolutionAction, Callable[[Case], str]] = {
    _A.STOP_SERVER: _stop_server,
    _A.STOP_PROCESS: _stop_process,
    _A.STOP_UNIT: _stop_unit,
    _A.STOP_CONTAINER: lambda case: f"stop container {container_of(case).name}; its data stays",
    _A.STOP_PROJECT: lambda case: (
        f"stop all containers of project {project_of(case)}; their data stays"
    ),
    _A.REMOVE_CONTAINER: lambda case: (
        f"remove container {_described(case)}; its volumes stay, what it wrote beside them is lost"
    ),
    _A.REMAP: _remap,
    _A.WAIT: lambda _: "wait until it is free",
    _A.ABORT: _abort,
}
