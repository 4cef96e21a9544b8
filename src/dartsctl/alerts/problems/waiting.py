"""A container that waits for another one: Compose has created it, and will start it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.container_state import dependencies
from dartsctl.diagnosis.findings import Cause

if TYPE_CHECKING:
    from dartsctl.diagnosis.facts import Facts
    from dartsctl.diagnosis.findings import Finding


def waits_for_another(finding: Finding, facts: Facts) -> bool:
    """Whether a container was not started yet only because what it depends on is not ready yet.

    `docker compose up` creates all containers first, and starts each when its dependencies are
    healthy or have ended, which may take minutes. One whose start has failed waits no more.
    """
    service = facts.services.get(finding.service)
    if finding.cause is not Cause.NEVER_STARTED or service is None:
        return False
    states = {container.state for container in service.containers}
    if "created" not in states or finding.data.get("error"):
        return False
    return any(_is_starting(name, facts) for name in dependencies(service, facts))


def _is_starting(name: str, facts: Facts) -> bool:
    """Whether a service has not become healthy yet, or has not ended yet where that counts."""
    services = facts.services.values()
    is_awaited = any(name in service.waits_for_end_of for service in services)
    if name not in facts.services:
        return False
    return any(
        container.runs and (is_awaited or container.health == "starting")
        for container in facts.services[name].containers
    )
