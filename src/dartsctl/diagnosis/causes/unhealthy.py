"""A container runs and does not serve: its health check fails, or its port has no listener."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.bad_answers import bad_answers, starting_trouble
from dartsctl.diagnosis.container_state import (
    BRIEF,
    age,
    containers,
    dependencies,
    is_stable,
    unreachable_port,
)
from dartsctl.diagnosis.findings import Cause, Confidence, Finding, Link
from dartsctl.diagnosis.proxy_routes import open_ports
from dartsctl.diagnosis.repairs import NO_REPAIR, Repair, RepairAction
from dartsctl.diagnosis.trouble import Trouble, container_trouble, shortened
from dartsctl.text.phrases import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import ContainerFacts, Facts, ServiceFacts

CAUSE = Cause.UNHEALTHY


def detect(facts: Facts) -> Iterator[Trouble]:
    for service, container in containers(facts):
        if is_stable(container, facts):
            yield from _of_container(service, container, facts)
    for answer in bad_answers(facts):
        if answer.starting:
            yield starting_trouble(CAUSE, answer, facts)


def _of_container(
    service: ServiceFacts, container: ContainerFacts, facts: Facts
) -> Iterator[Trouble]:
    place = unreachable_port(service, container, facts)
    if place and not place.loopback:
        if open_ports(service) and container.health != "unhealthy":
            return  # the port may be the wrong one
        yield _nothing_listens(service, container, place.port, facts)
    elif place is None and container.is_unhealthy:
        yield _health_check_fails(service, container, facts)


def _nothing_listens(
    service: ServiceFacts, container: ContainerFacts, port: int, facts: Facts
) -> Trouble:
    name, seconds = container.service, age(container, facts)
    others = ", ".join(_open_ports(container)) or "nothing else"
    text = f"inside {container.name} nothing listens on {port} (open: {others})"
    sentence = f"{name} runs, but nothing listens on port {port} inside it"
    confidence: Confidence = "likely"
    if seconds < BRIEF:
        sentence += f"; it was started {duration(seconds)} ago"
        confidence = "possible"
    return container_trouble(
        CAUSE,
        service,
        container,
        facts,
        sentence=sentence,
        command=f"{facts.commands.stack} logs {name}",
        links=(Link("port", "bad", text, source=container.listening_source),),
        data={"port": port},
        because_of=dependencies(service, facts),
        confidence=confidence,
    )


def _open_ports(container: ContainerFacts) -> dict[str, None]:
    """Return the ports with a listener outside 127.0.0.0/8, in their order."""
    listening = container.listening or ()
    return {str(place.port): None for place in listening if not place.address.startswith("127.")}


def _health_check_fails(service: ServiceFacts, container: ContainerFacts, facts: Facts) -> Trouble:
    sentence = f"{container.service} runs, but its health check fails"
    if container.health_output:
        sentence += f": {shortened(container.health_output)}"
    return container_trouble(
        CAUSE,
        service,
        container,
        facts,
        sentence=sentence,
        command=f"{facts.commands.stack} logs {container.service}",
        because_of=dependencies(service, facts),
    )


def repair(finding: Finding, facts: Facts) -> Repair:
    """Restart a container whose health check fails; nothing else promises to help."""
    running = facts.services[finding.service].running
    if any(container.is_unhealthy for container in running):
        return Repair(RepairAction.RESTART)
    return NO_REPAIR
