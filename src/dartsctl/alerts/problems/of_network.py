"""A container runs and is on no network, although its service should be on one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.problem import Problem, Subject
from dartsctl.diagnosis.findings import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts


def without_network(facts: Facts) -> Iterator[Problem]:
    """Yield the services with such a container. Doctor sees only those that miss a port."""
    for service in facts.services.values():
        for container in service.running:
            mode = container.network_mode
            if container.networks or not mode or mode == "none" or not container.has_own_network:
                continue
            yield Problem(
                Subject("service", service.name),
                Cause.NO_PORTS.value,
                f"{service.name} runs and is on no network",
                f"{facts.commands.doctor} --fix",
                evidence=(f"{container.name} has no network, its network mode is {mode}",),
                data={"container": container.name, "service": service.name},
            )
            break
