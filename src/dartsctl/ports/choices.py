"""The choices for one case: what can be done about it, safest first, and the exact words for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, assert_never

from dartsctl.ports.cases import Case, container_of, process_of, project_of
from dartsctl.ports.collisions import NameTaken, Taken
from dartsctl.ports.holders import DevLease, RivalBinding
from dartsctl.ports.holders.kinds import PRODUCTION_STOPS, HolderKind, ResolutionAction
from dartsctl.ports.holders.processes import restarting_parent_of
from dartsctl.ports.holders.wording import in_brackets, of_project
from dartsctl.ports.shared import SharedResource
from dartsctl.records import record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.ports.conflicts import Conflict

Policy = Literal["ask", "fail", "stop", "remap", "wait"]

STOPS_CONTAINERS = frozenset(
    {
        ResolutionAction.STOP_CONTAINER,
        ResolutionAction.STOP_PROJECT,
        ResolutionAction.REMOVE_CONTAINER,
    }
)


@record
class Choice:
    """One thing that can be done.

    `line` says exactly what will happen. Where `type_first` is set, it must be typed before.
    """

    action: ResolutionAction
    line: str
    type_first: str = ""


@record
class ResolutionRequest:
    """How conflicts are to be resolved."""

    policy: Policy
    remappable: bool
    """False for production: its bindings never move."""
    production_project: str = ""
    """Nothing of this project is stopped for another one. For production its name is typed."""
    is_for_production: bool = False
    removable: frozenset[str] = frozenset()
    """Containers that may be removed without a prompt where their name is wanted."""
    remap_only: frozenset[str] | None = None
    """Where set, only these services move: nobody was asked, and the host server gets their real
    addresses."""


def choices(case: Case, request: ResolutionRequest) -> tuple[Choice, ...]:
    """Return what can be done about one case, safest first."""
    offered = []
    for action in case.kind.choices:
        if _is_offered(action, case, request):
            text = _line_for(action, case, request)
            offered.append(Choice(action, text, _type_first(action, case, request)))
    return tuple(offered)


def _is_offered(action: ResolutionAction, case: Case, request: ResolutionRequest) -> bool:
    if action is ResolutionAction.REMAP:
        return may_move(case, request)
    return action not in STOPS_CONTAINERS or not is_spared(case, request)


def is_spared(case: Case, request: ResolutionRequest) -> bool:
    """Return whether the container is production's, and another stack wants its port or name.

    Then only production's own commands stop it.
    """
    if request.is_for_production or not request.production_project:
        return False
    return project_of(case) == request.production_project


def may_move(case: Case, request: ResolutionRequest) -> bool:
    """Return whether the bindings of a case can be published elsewhere.

    Production never moves. Replicas that share a fixed port gain nothing by it.
    """
    is_movable = bool(case.conflicts) or isinstance(case.holder, Taken)
    if isinstance(case.holder, NameTaken) and case.holder.is_default:
        return False  # Compose would choose the same name again
    if not request.remappable or not is_movable or is_own_rival(case):
        return False
    if any(binding.on_host for binding in case.bindings):  # the program says its port itself
        return False
    return request.remap_only is None or set(case.services) <= request.remap_only


def is_own_rival(case: Case) -> bool:
    """Return whether a binding of the case conflicts with itself (replicas, addresses that meet).

    On another number it still would.
    """
    return any(map(_is_own_rival, case.conflicts))


def _is_own_rival(conflict: Conflict) -> bool:
    return RivalBinding.of(conflict.binding) in conflict.holders


def _type_first(action: ResolutionAction, case: Case, request: ResolutionRequest) -> str:
    """The name to type before a production container is stopped, or any container removed."""
    if action is ResolutionAction.REMOVE_CONTAINER:
        return container_of(case).name
    is_production = (
        bool(request.production_project) and project_of(case) == request.production_project
    )
    if action not in STOPS_CONTAINERS or not is_production:
        return ""
    if action is ResolutionAction.STOP_PROJECT:
        return request.production_project
    return container_of(case).name


def is_removal_named(case: Case, request: ResolutionRequest) -> bool:
    """Return whether --remove-container names the container that has the wanted name."""
    return case.kind is HolderKind.NAME and container_of(case).name in request.removable


_BY_POLICY: dict[Policy, tuple[ResolutionAction, ...]] = {
    "stop": (
        ResolutionAction.STOP_SERVER,
        ResolutionAction.STOP_PROCESS,
        ResolutionAction.STOP_UNIT,
        ResolutionAction.STOP_CONTAINER,
    ),
    "remap": (ResolutionAction.REMAP,),
    "wait": (ResolutionAction.WAIT,),
}


def by_policy(policy: Policy, offered: Sequence[Choice]) -> ResolutionAction:
    """Return the policy's answer among the offered choices, ABORT where it has none.

    "stop" stops one container, never its whole project, and none of production's: only a person
    can type its name. It removes nothing.
    """
    wanted = _BY_POLICY.get(policy, ())
    for choice in offered:
        if choice.action in wanted and not choice.type_first:
            return choice.action
    return ResolutionAction.ABORT


# --- in words -------------------------------------------------------------------------------------


def _line_for(action: ResolutionAction, case: Case, request: ResolutionRequest) -> str:
    if action is ResolutionAction.ABORT and is_spared(case, request):
        return f"abort; nothing is changed (it is production's: {PRODUCTION_STOPS})"
    return line(action, case)


def line(action: ResolutionAction, case: Case) -> str:  # noqa: PLR0911 - one for each action
    """Return exactly what `action` will do about `case`."""
    match action:
        case ResolutionAction.STOP_SERVER:
            return _stop_server(case)
        case ResolutionAction.STOP_PROCESS:
            return _stop_process(case)
        case ResolutionAction.STOP_UNIT:
            return _stop_unit(case)
        case ResolutionAction.STOP_CONTAINER:
            return f"stop container {container_of(case).name}; its data stays"
        case ResolutionAction.STOP_PROJECT:
            return f"stop all containers of project {project_of(case)}; their data stays"
        case ResolutionAction.REMOVE_CONTAINER:
            return _remove_container(case)
        case ResolutionAction.REMAP:
            return _remap(case)
        case ResolutionAction.WAIT:
            return "wait until it is free"
        case ResolutionAction.ABORT:
            return _abort(case)
        case _:
            assert_never(action)


def remedy(case: Case) -> str:
    """Return what a person can do about a holder that dartsctl leaves alone.

    A command, or where the setting is. Empty for every other holder.
    """
    if isinstance(case.holder, Taken):
        return ""
    return case.holder.remedy(case.classification)


def _pids(case: Case) -> tuple[int, ...]:
    return () if isinstance(case.holder, Taken) else case.holder.pids


def _stop_server(case: Case) -> str:
    if not isinstance(case.holder, DevLease):
        raise TypeError(f"{case.kind.description} is no dev server")
    return f"stop the dev server of {case.holder.checkout}{in_brackets(case.holder.process)}"


def _stop_process(case: Case) -> str:
    process = process_of(case)
    pids = ", ".join(str(pid) for pid in _pids(case) if pid != case.reloader)
    who = f"{process.name} (pid {pids})" if pids else process.name
    if case.reloader:
        who += f" and the reloader that would start it again (pid {case.reloader})"
    if parent := restarting_parent_of(process):
        who += f", which {parent} may start again"
    return f"stop {who}: SIGTERM, and SIGKILL only after a second yes"


def _stop_unit(case: Case) -> str:
    if case.unit is None:
        raise ValueError(f"{case.kind.description} has no unit")
    pids = ", ".join(map(str, case.classification.with_reloader(_pids(case))))
    return f"{case.unit.stop_command} (pid {pids} alone would be started again)"


def _remove_container(case: Case) -> str:
    container = container_of(case)
    described = f"{container.name} ({container.state}){of_project(container)}"
    return f"remove container {described}; its volumes stay, what it wrote outside of them is lost"


def _remap(case: Case) -> str:
    here = "on this machine only, until --reset-ports"
    if isinstance(case.holder, NameTaken):
        service, name = case.holder.service, case.holder.container.name
        return f"start {service} under another container name than {name}, {here}"
    if isinstance(case.holder, SharedResource):
        return f"{case.holder.move}, {here}"
    places: dict[str, None] = {}
    for conflict in case.conflicts:
        binding = conflict.binding
        places[f"{binding.service} on another free port instead of {binding.published}"] = None
    return f"publish {', '.join(places)}, {here}"


def _abort(case: Case) -> str:
    if own_way := remedy(case):
        return f"abort; nothing is changed (to free it yourself: {own_way})"
    return "abort; nothing is changed"
