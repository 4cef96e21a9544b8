"""A container ends again and again soon after each start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.container_state import age, containers, dependencies, is_crash_looping
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.repairs import by_hand
from dartsctl.diagnosis.trouble import Trouble, container_trouble, exit_words
from dartsctl.text.phrases import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import ContainerFacts, Facts, ServiceFacts

CAUSE = Cause.CRASH_LOOP


def detect(facts: Facts) -> Iterator[Trouble]:
    for service, container in containers(facts):
        if container.state == "restarting":
            yield _waiting(service, container, facts)
        elif is_crash_looping(container, facts):
            yield _running(service, container, facts)


def _waiting(service: ServiceFacts, container: ContainerFacts, facts: Facts) -> Trouble:
    name, restarts = container.service, container.restart_count
    end = exit_words(container.exit_code)
    return container_trouble(
        CAUSE,
        service,
        container,
        facts,
        sentence=f"{name} keeps restarting: {restarts} restarts, last with {end}",
        command=f"{facts.commands.stack} logs {name}",
        data={"exit_code": container.exit_code, "restarts": restarts},
        because_of=dependencies(service, facts),
    )


def _running(service: ServiceFacts, container: ContainerFacts, facts: Facts) -> Trouble:
    name, restarts = container.service, container.restart_count
    now = f"now running for {duration(age(container, facts))}"
    return container_trouble(
        CAUSE,
        service,
        container,
        facts,
        sentence=f"{name} keeps restarting: {restarts} restarts, {now}",
        command=f"{facts.commands.stack} logs {name}",
        confidence="likely",
        data={"restarts": restarts, "exit_code": container.exit_code},
        because_of=dependencies(service, facts),
    )


repair = by_hand
