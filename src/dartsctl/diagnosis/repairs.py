"""The repair of one cause as a value, and the decisions that several causes share."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from dartsctl.records import record

if TYPE_CHECKING:
    from dartsctl.diagnosis.facts import Facts, ServiceFacts
    from dartsctl.diagnosis.findings import Finding


class RepairAction(Enum):
    """What a step of a repair does. The values are those of `--json` and of the history."""

    FREE = "free-ports"
    """Settle the conflicts of the services that follow, as before an `up`."""
    UP = "up"
    START = "start"
    RESTART = "restart"
    RECREATE = "recreate"
    RELOAD = "reload-proxy"


@record
class Repair:
    """What `doctor --fix` does about a finding."""

    action: RepairAction | None
    """None: only a person can repair it."""
    reason: str = ""
    """Why this action; empty: the finding's own sentence."""
    frees: bool = False
    """Ports and names of the service have to be freed first."""
    is_partial: bool = False
    """A person has to do something as well."""


NO_REPAIR = Repair(None)


def by_hand(finding: Finding, facts: Facts) -> Repair:  # noqa: ARG001 - a cause's `repair`
    """Return NO_REPAIR: the `repair` of a cause that only a person can repair."""
    return NO_REPAIR


_AFTER_FREEING = {
    RepairAction.UP: "no container exists, and its ports are free then",
    RepairAction.START: "its port is free then",
    RepairAction.RECREATE: (
        "its port is free then; the engine has refused this container before, and some engines "
        "would start it without its ports"
    ),
}


def free_and_start(finding: Finding, facts: Facts) -> Repair:
    """Return the repair of a service whose port is held by somebody else."""
    if not facts.has_containers:
        action = RepairAction.UP
    else:
        action = start_after_refusal(facts.services[finding.service])
    return Repair(action, _AFTER_FREEING[action], frees=True)


def start_again(finding: Finding, facts: Facts) -> Repair:
    """Return the repair of a service whose containers have ended."""
    service = facts.services[finding.service]
    if service.running or is_looping(service):
        return NO_REPAIR
    return Repair(RepairAction.START, frees=is_name_taken(finding))


def start_after_refusal(service: ServiceFacts) -> RepairAction:
    """Return RECREATE for a container that the engine has refused or started without its ports.

    Some engines would start the same container again without any port (edge-cases.md#33).
    """
    if any(container.runs or container.error for container in service.containers):
        return RepairAction.RECREATE
    return RepairAction.START


def is_looping(service: ServiceFacts) -> bool:
    """Whether the engine waits before it restarts a container again."""
    return any(container.state == "restarting" for container in service.containers)


def is_name_taken(finding: Finding) -> bool:
    """Whether a container outside the stack has the service's container name."""
    return bool(finding.data.get("name_taken_by"))
