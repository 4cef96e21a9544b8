"""What can be done about a conflict: for each kind of holder the choices, safest first, and from the choices made to a plan (DESIGN 4).

Decides only; nothing here signals, stops or asks. The plan is carried out by commands/resolve.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol

from dartsctl.collisions import NameTaken
from dartsctl.conflicts import Conflict
from dartsctl.containers import Container
from dartsctl.holders import DevLease, ForeignContainer, Holder, HostProcess, OwnContainer, SameStack, Unknown
from dartsctl.process import Process
from dartsctl.stack import Stack

Policy = Literal["ask", "fail", "stop", "remap", "wait"]


class Kind(Enum):
    """The kinds of holder that differ in what may be done about them."""

    DEV_SERVER = "a dev server under a lease"
    PROCESS = "a process"
    RELOADER = "a reloader and its server"
    MANAGED = "a process that a supervisor keeps running"
    OTHER_USER = "another user's process"
    PROTECTED = "a process that is never stopped"
    AIRPLAY = "the AirPlay receiver of macOS"
    CONTAINER = "a container of another project"
    LONE_CONTAINER = "a container of no project"
    HOST_NETWORK = "a container on the host's network"
    ORPHAN = "an orphan of this project"
    OWN = "a container of this project that stays"
    SAME_STACK = "another binding of the stack itself"
    NAME = "a container that has the name"
    UNKNOWN = "somebody who is not visible"


class Action(Enum):
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


_A = Action
CHOICES: Mapping[Kind, tuple[Action, ...]] = {
    Kind.DEV_SERVER: (_A.STOP_SERVER, _A.REMAP, _A.WAIT, _A.ABORT),
    Kind.PROCESS: (_A.REMAP, _A.WAIT, _A.STOP_PROCESS, _A.ABORT),
    Kind.RELOADER: (_A.REMAP, _A.WAIT, _A.STOP_PROCESS, _A.ABORT),
    Kind.MANAGED: (_A.REMAP, _A.WAIT, _A.STOP_UNIT, _A.ABORT),
    Kind.OTHER_USER: (_A.REMAP, _A.WAIT, _A.ABORT),
    Kind.PROTECTED: (_A.REMAP, _A.WAIT, _A.ABORT),
    Kind.AIRPLAY: (_A.REMAP, _A.WAIT, _A.ABORT),
    Kind.CONTAINER: (_A.REMAP, _A.WAIT, _A.STOP_CONTAINER, _A.STOP_PROJECT, _A.ABORT),
    Kind.LONE_CONTAINER: (_A.REMAP, _A.WAIT, _A.STOP_CONTAINER, _A.ABORT),
    Kind.HOST_NETWORK: (_A.REMAP, _A.WAIT, _A.STOP_CONTAINER, _A.ABORT),
    Kind.ORPHAN: (_A.STOP_CONTAINER, _A.REMAP, _A.ABORT),
    Kind.OWN: (_A.REMAP, _A.ABORT),
    Kind.SAME_STACK: (_A.REMAP, _A.ABORT),
    Kind.NAME: (_A.REMOVE_CONTAINER, _A.ABORT),
    Kind.UNKNOWN: (_A.REMAP, _A.WAIT, _A.ABORT),
}
"""Safest first. What production publishes never moves: REMAP falls away there."""

CONFIRMED_BY_NAME = frozenset({_A.STOP_CONTAINER, _A.STOP_PROJECT, _A.REMOVE_CONTAINER})


@dataclass(frozen=True, slots=True)
class Case:
    """One holder with everything of ours that it keeps from being made. Answering it answers all of its conflicts."""

    holder: Holder | NameTaken
    kind: Kind
    conflicts: tuple[Conflict, ...] = ()
    unit: str = ""
    """The systemd service that keeps a managed process running."""

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(conflict.binding.service for conflict in self.conflicts))


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that can be done. `line` says exactly what will happen; `type_first` must be typed before it does."""

    action: Action
    line: str
    type_first: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One action of the plan, on one case."""

    action: Action
    case: Case


@dataclass(frozen=True, slots=True)
class Request:
    """How conflicts are to be resolved. `remappable`: production's ports never are."""

    policy: Policy
    remappable: bool
    production_project: str = ""
    """Stopping a container of this project needs its name to be typed."""
    remap_only: frozenset[str] | None = None
    """Where set, only these services are moved (nobody was asked, but the host server is told their real addresses)."""


Choose = Callable[[Case, Sequence[Choice]], Action]


class Facts(Protocol):
    """What decides about a process beside what was seen of it."""

    def is_protected(self, process: Process) -> bool:
        """Whether it is an engine's, pid 1, ourselves or an ancestor of ours: never stopped."""

    def is_ours(self, process: Process) -> bool:
        """Whether this user may signal it."""

    def unit_of(self, process: Process) -> str:
        """The systemd service that keeps it running, or nothing."""

    def is_reloaded(self, process: Process) -> bool:
        """Whether a reloader above it would start it again."""


def cases(conflicts: Sequence[Conflict], names: Sequence[NameTaken], stack: Stack, facts: Facts) -> tuple[Case, ...]:
    """The conflicts by holder. A conflict without a holder (no such address, say) has nobody to be asked about and is left out."""
    by_holder: dict[Holder, list[Conflict]] = {}
    for conflict in conflicts:
        for holder in conflict.holders:
            by_holder.setdefault(holder, []).append(conflict)
    found = [_case(holder, tuple(dict.fromkeys(group)), stack, facts) for holder, group in by_holder.items()]
    return (*found, *(Case(name, Kind.NAME) for name in names))


def _case(holder: Holder, conflicts: tuple[Conflict, ...], stack: Stack, facts: Facts) -> Case:
    kind = _kind(holder, stack, facts)
    unit = facts.unit_of(holder.process) if kind is Kind.MANAGED and isinstance(holder, HostProcess) else ""
    return Case(holder, kind, conflicts, unit)


def _kind(holder: Holder, stack: Stack, facts: Facts) -> Kind:
    match holder:
        case DevLease():
            return Kind.DEV_SERVER
        case HostProcess(process, _, _):
            return _kind_of_process(process, facts)
        case ForeignContainer(container, _):
            return _kind_of_container(container, stack)
        case OwnContainer():
            return Kind.OWN
        case SameStack():
            return Kind.SAME_STACK
        case Unknown():
            return Kind.UNKNOWN


def _kind_of_process(process: Process, facts: Facts) -> Kind:
    if process.name.startswith("ControlCe"):
        return Kind.AIRPLAY  # it answers on 5000 and 7000, and comes back when it is killed (EDGE 14)
    if facts.is_protected(process):
        return Kind.PROTECTED
    if facts.unit_of(process):
        return Kind.MANAGED
    if not facts.is_ours(process):
        return Kind.OTHER_USER
    return Kind.RELOADER if facts.is_reloaded(process) else Kind.PROCESS


def _kind_of_container(container: Container, stack: Stack) -> Kind:
    if container.network_mode == "host":
        return Kind.HOST_NETWORK
    if container.project == stack.project:
        return Kind.ORPHAN
    return Kind.CONTAINER if container.project else Kind.LONE_CONTAINER


def choices(case: Case, request: Request) -> tuple[Choice, ...]:
    """What can be done about one case, safest first."""
    actions = [action for action in CHOICES[case.kind] if action is not Action.REMAP or _may_move(case, request)]
    return tuple(Choice(action, line(action, case), _typed(action, case, request)) for action in actions)


def _may_move(case: Case, request: Request) -> bool:
    """Production's ports never move; replicas of one service that share a fixed port gain nothing by it."""
    if not request.remappable or not case.conflicts:
        return False
    if request.remap_only is not None and not set(case.services) <= request.remap_only:
        return False
    return not (isinstance(case.holder, SameStack) and set(case.services) == {case.holder.service})


def decide(found: Sequence[Case], request: Request, choose: Choose) -> tuple[Step, ...]:
    """The plan: one step a case, none for a case that an earlier step settles. Empty when somebody aborts or the policy has no answer."""
    plan: list[Step] = []
    for case in found:
        if _settled(case, plan):
            continue
        offered = choices(case, request)
        action = choose(case, offered) if request.policy == "ask" else by_policy(request.policy, offered)
        if action is Action.ABORT:
            return ()
        plan.append(Step(action, case))
    return tuple(plan)


_BY_POLICY: Mapping[str, tuple[Action, ...]] = {
    "stop": (_A.STOP_SERVER, _A.STOP_PROCESS, _A.STOP_UNIT, _A.STOP_CONTAINER, _A.REMOVE_CONTAINER),
    "remap": (_A.REMAP,),
    "wait": (_A.WAIT,),
}


def by_policy(policy: str, offered: Sequence[Choice]) -> Action:
    """The policy's answer among the choices offered; ABORT where it has none. "stop" takes one container, never its whole project."""
    wanted = _BY_POLICY.get(policy, ())
    return next((choice.action for choice in offered if choice.action in wanted), Action.ABORT)


def _settled(case: Case, plan: Sequence[Step]) -> bool:
    """Whether an earlier step takes care of this case too: its whole project is stopped, or all of its bindings move away."""
    for step in plan:
        if step.action is Action.STOP_PROJECT and project_of(step.case) and project_of(step.case) == project_of(case):
            return True
    gone = {service for step in plan if step.action is Action.REMAP for service in step.case.services}
    if isinstance(case.holder, SameStack) and case.holder.service in gone:
        return True  # of two that want the same number one has moved: the other may have it
    moved = {conflict for step in plan if step.action is Action.REMAP for conflict in step.case.conflicts}
    return bool(case.conflicts) and set(case.conflicts) <= moved


def project_of(case: Case) -> str:
    """The Compose project of the container in the way; empty where it is none."""
    holder = case.holder
    if isinstance(holder, ForeignContainer | OwnContainer | NameTaken):
        return holder.container.project
    return ""


def _typed(action: Action, case: Case, request: Request) -> str:
    """A production container is stopped only by somebody who has typed its name."""
    if action not in CONFIRMED_BY_NAME or not request.production_project or project_of(case) != request.production_project:
        return ""
    return request.production_project if action is Action.STOP_PROJECT else container_of(case).name


def container_of(case: Case) -> Container:
    """The container in the way. Raises ValueError where it is none."""
    if isinstance(case.holder, ForeignContainer | OwnContainer | NameTaken):
        return case.holder.container
    raise ValueError(f"{case.kind} is no container")


def line(action: Action, case: Case) -> str:
    """Exactly what `action` will do about `case`."""
    match action, case.holder:
        case Action.STOP_SERVER, DevLease(process, checkout, _, _):
            return f"stop the dev server of {checkout} (pid {process.pid if process else '?'})"
        case Action.STOP_PROCESS, HostProcess(process, others, _):
            also = f" and pid {', '.join(map(str, others))}" if others else ""
            pair = " and the reloader that would start it again" if case.kind is Kind.RELOADER else ""
            return f"stop {process.name} (pid {process.pid}{also}){pair}: SIGTERM, and SIGKILL only after a second yes"
        case Action.STOP_UNIT, HostProcess(process, _, _):
            return f"{stop_unit_command(case.unit)} (pid {process.pid} would be started again otherwise)"
        case Action.STOP_CONTAINER, _:
            return f"stop container {container_of(case).name}; its data stays"
        case Action.STOP_PROJECT, _:
            return f"stop all containers of project {project_of(case)}; their data stays"
        case Action.REMOVE_CONTAINER, _:
            return f"stop and remove container {container_of(case).name}; its volumes stay"
        case Action.REMAP, _:
            return f"publish {', '.join(case.services)} on another free port, here only"
        case Action.WAIT, _:
            return "wait until it is free"
    return "abort; nothing is changed"


def stop_unit_command(unit: str) -> str:
    """The command that stops a systemd unit, and the socket that would bring it back (EDGE 20)."""
    user = " --user" if unit.startswith("user:") else ""
    return f"systemctl{user} stop {unit.removeprefix('user:')}"
