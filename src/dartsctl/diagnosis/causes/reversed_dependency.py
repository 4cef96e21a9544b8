"""The app waits for the proxy by `depends_on`, and nginx needs the app's name when it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.container_state import dependencies
from dartsctl.diagnosis.findings import Cause, Finding
from dartsctl.diagnosis.nginx.log import NginxFailure
from dartsctl.diagnosis.proxy_end import ends, fatal_error, fatal_trouble
from dartsctl.diagnosis.repairs import NO_REPAIR, Repair, RepairAction
from dartsctl.errors import Advice
from dartsctl.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts, ServiceFacts
    from dartsctl.diagnosis.trouble import Trouble

CAUSE = Cause.REVERSED_DEPENDENCY


def detect(facts: Facts) -> Iterator[Trouble]:
    fatal = fatal_error(facts)
    if fatal is None or fatal.kind is not NginxFailure.HOST_NOT_FOUND or fatal.service is None:
        return
    name, proxy = fatal.service.name, fatal.container.service
    if proxy not in dependencies(fatal.service, facts):
        return
    needing = _needing(fatal.service, proxy, facts)
    advice = Advice(
        f"in the Compose file let {proxy} depend on {name}, not {needing} on {proxy}, "
        f"then run `{facts.commands.up}`"
    )
    for end in ends(facts):
        trouble = fatal_trouble(
            CAUSE,
            end,
            fatal,
            facts,
            reason=(
                f"it needs the name {fatal.host} when it starts, and {name} is started after it, "
                f"because {needing} depends on {proxy}"
            ),
            command=advice,
        )
        yield replace(trouble, because_of=())


def _needing(service: ServiceFacts, proxy: str, facts: Facts) -> str:
    """Return the service that depends on the proxy: this one, or one that it needs."""
    for name in (service.name, *dependencies(service, facts)):
        if name in facts.services and proxy in facts.services[name].depends_on:
            return name
    return service.name


def repair(finding: Finding, facts: Facts) -> Repair:
    """Start nginx again where the app runs by now; a person corrects the order."""
    proxy = facts.services[finding.service]
    needed_by = [
        service for service in facts.services.values() if finding.service in service.depends_on
    ]
    if proxy.running or not any(service.running for service in needed_by):
        return NO_REPAIR
    return Repair(RepairAction.RESTART, is_partial=True)
