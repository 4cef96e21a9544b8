"""A container runs, and the engine has not bound all its published ports (edge-cases.md#33)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.container_state import containers, is_stable
from dartsctl.diagnosis.findings import Cause, Finding, Link
from dartsctl.diagnosis.repairs import Repair, RepairAction
from dartsctl.diagnosis.taken_ports import missing_ports
from dartsctl.diagnosis.trouble import Fix, Trouble, container_trouble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import ContainerFacts, Facts, PublishedPort, ServiceFacts

CAUSE = Cause.NO_PORTS


def detect(facts: Facts) -> Iterator[Trouble]:
    for service, container in containers(facts):
        if is_stable(container, facts) and (missing := missing_ports(container)):
            yield _trouble(service, container, missing, facts)


def _trouble(
    service: ServiceFacts,
    container: ContainerFacts,
    missing: tuple[PublishedPort, ...],
    facts: Facts,
) -> Trouble:
    names = ", ".join(map(_name, missing))
    text = f"the engine should have bound {names} and has not"
    sentence = f"{container.service} runs without its port {names}"
    if not container.networks:
        sentence += " and is on no network"
    ports = [place.endpoint.port for place in missing]
    return container_trouble(
        CAUSE,
        service,
        container,
        facts,
        sentence=sentence,
        command=Fix(),
        links=(Link("port", "bad", text, source=f"engine: inspect {container.name}"),),
        data={"port": ports[0], "ports": ports},
    )


def _name(place: PublishedPort) -> str:
    if place.endpoint.port:
        return str(place.endpoint)
    return f"a port for {place.target}"


def repair(finding: Finding, facts: Facts) -> Repair:  # noqa: ARG001 - always the same
    return Repair(RepairAction.RECREATE)
