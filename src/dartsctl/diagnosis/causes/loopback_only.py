"""An app listens on 127.0.0.1 inside its container, where nothing else can reach it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.container_state import (
    UnreachablePort,
    containers,
    is_stable,
    unreachable_port,
)
from dartsctl.diagnosis.findings import Cause, Link
from dartsctl.diagnosis.repairs import by_hand
from dartsctl.diagnosis.trouble import Trouble, container_trouble
from dartsctl.errors import Advice
from dartsctl.stack.bindings import ANY_IPV4

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import ContainerFacts, Facts, ServiceFacts

CAUSE = Cause.LOOPBACK_ONLY


def detect(facts: Facts) -> Iterator[Trouble]:
    for service, container in containers(facts):
        if not is_stable(container, facts):
            continue
        place = unreachable_port(service, container, facts)
        if place and place.loopback:
            yield _trouble(service, container, place, facts)


def _trouble(
    service: ServiceFacts, container: ContainerFacts, place: UnreachablePort, facts: Facts
) -> Trouble:
    name, where = container.service, ", ".join(map(str, place.loopback))
    text = f"inside {container.name} the only listener is {where}"
    return container_trouble(
        CAUSE,
        service,
        container,
        facts,
        sentence=f"{name} listens on {where} inside its container, where nothing else can reach it",
        command=Advice(
            f"make {name} listen on {ANY_IPV4}:{place.port}, then run `{facts.commands.up}`"
        ),
        links=(Link("port", "bad", text, source=container.listening_source),),
        data={"port": place.port},
        is_container_bad=False,
    )


repair = by_hand
