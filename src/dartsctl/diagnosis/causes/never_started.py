"""A service has no container, or the engine has not started the container that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.container_state import containers, dependencies, has_ended
from dartsctl.diagnosis.findings import Cause, Finding, Link
from dartsctl.diagnosis.repairs import (
    NO_REPAIR,
    Repair,
    RepairAction,
    is_name_taken,
    start_after_refusal,
)
from dartsctl.diagnosis.trouble import Fix, Rank, Scope, Trouble, container_trouble
from dartsctl.stack import compose_errors
from dartsctl.text.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import ContainerFacts, Facts, ServiceFacts
    from dartsctl.stack.compose_errors import ComposeFailure

CAUSE = Cause.NEVER_STARTED
_WRAPPERS = regex(r"^.*(?:container init|container process|runc create failed): ")
"""What the engine, its shim and runc put before the words that matter."""


def detect(facts: Facts) -> Iterator[Trouble]:
    for service in facts.services.values():
        if service.replicas and not service.containers:
            yield _missing(service, facts)
    for service, container in containers(facts):
        if container.state == "created":
            yield _created(service, container, facts)
        elif container.error and has_ended(container):
            yield _not_started_again(service, container, facts)


def missing_stack(service: str, facts: Facts) -> Trouble:
    """Return the one trouble of a stack that has no containers at all."""
    text = f"{facts.project} has no containers"
    return Trouble(
        cause=CAUSE,
        service=service,
        sentence=f"{facts.project} is not up: it has no containers",
        command=Fix(),
        rank=Rank(Scope.CONTAINER),
        links=(Link("container", "bad", text, source="engine: list of containers"),),
    )


def _missing(service: ServiceFacts, facts: Facts) -> Trouble:
    text = f"{service.name} has no container"
    reason, data = "it was never started", {}
    if other := service.name_taken_by:
        reason = f"container {other}, which is outside this stack, has its name"
        data = {"name_taken_by": other}
    return Trouble(
        cause=CAUSE,
        service=service.name,
        sentence=f"{text}: {reason}",
        command=Fix(),
        rank=Rank(Scope.CONTAINER),
        links=(Link("container", "bad", text, source="engine: list of containers"),),
        data=data,
        because_of=dependencies(service, facts),
    )


def _created(service: ServiceFacts, container: ContainerFacts, facts: Facts) -> Trouble:
    name = container.service
    if not container.error:
        return container_trouble(
            CAUSE,
            service,
            container,
            facts,
            sentence=f"{name} was created and never started",
            command=Fix(),
            because_of=dependencies(service, facts),
        )
    failure = compose_errors.classify(container.error)
    reason = _WRAPPERS.sub("", failure.sentence)
    data: dict[str, object] = {"error": container.error, "exit_code": container.exit_code}
    if failure.endpoint:
        reason += f" ({failure.endpoint})"
        data |= _port_data(failure)
    command: str | Fix = facts.commands.up
    if failure.kind == "port":
        reason += f"; {_state_of_port(service, failure)}"
        command = Fix()
    return container_trouble(
        CAUSE,
        service,
        container,
        facts,
        sentence=f"{name} could not be started: {reason}",
        command=command,
        data=data,
    )


def _not_started_again(service: ServiceFacts, container: ContainerFacts, facts: Facts) -> Trouble:
    failure = compose_errors.classify(container.error)
    reason = _WRAPPERS.sub("", failure.sentence)
    if failure.kind == "port" and failure.endpoint:
        reason += f" ({failure.endpoint}); {_state_of_port(service, failure)}"
    return container_trouble(
        CAUSE,
        service,
        container,
        facts,
        sentence=f"{container.service} could not be started again: {reason}",
        command=Fix(),
        data={"error": container.error, **_port_data(failure)},
    )


def _port_data(failure: ComposeFailure) -> dict[str, object]:
    """Return the port that the engine was refused, nothing without one."""
    if failure.endpoint is None:
        return {}
    return {"port": failure.endpoint.port, "protocol": failure.endpoint.protocol}


def _state_of_port(service: ServiceFacts, failure: ComposeFailure) -> str:
    """Return what is known of a port that was refused: there is no conflict about it now."""
    if failure.endpoint and failure.endpoint.port in service.unsure_ports:
        return "whether the port is free now is not visible"
    return "the port is free now"


def repair(finding: Finding, facts: Facts) -> Repair:
    """Start it, unless the engine has refused it for another reason than a port."""
    frees = is_name_taken(finding)
    if not facts.has_containers:
        return Repair(RepairAction.UP, frees=frees)
    service = facts.services[finding.service]
    for container in service.containers:
        if container.error and compose_errors.classify(container.error).kind != "port":
            return NO_REPAIR
    return Repair(start_after_refusal(service), frees=frees)
