"""`[ports.production]` and `wait_timeout`, where what dartsctl does by itself does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.config.settings import PRODUCTION
from dartsctl.discovery.proposal import Proposal, ProposedSetting
from dartsctl.discovery.slow_images import slow_services, wait_timeout
from dartsctl.discovery.stack_facts import PLACEHOLDER
from dartsctl.errors import DartsctlError
from dartsctl.ports.allocation import Allocation, by_service
from dartsctl.text.phrases import relative

if TYPE_CHECKING:
    from dartsctl.discovery.settings_text import SettingValue
    from dartsctl.stack.health_check import HealthCheck
    from dartsctl.stack.model import Stack
    from dartsctl.workflows.init.project import Project


def find_production_ports(project: Project) -> Proposal:
    """Return the table of production's ports, unless dartsctl finds the same ones without it.

    It always takes what the production stack publishes, and its default list as well: then that
    list would be called production's.
    """
    facts = project.stacks.get(PRODUCTION)
    if facts is None or facts.error or not project.settings.ports.is_default:
        return Proposal()
    published = dict(facts.stack.published_ports)
    if facts.unset:
        published.pop(int(PLACEHOLDER), None)
    if Allocation.default().owners.keys() <= published.keys():
        return Proposal()
    files = ", ".join(relative(project.root, file) for file in facts.files)
    verb = "publishes"
    if len(facts.files) > 1:
        verb = "publish"
    why = f"what {files} {verb}, instead of dartsctl's default list"
    table = by_service(published, outside=project.settings.ports.dev_range)
    if not table:
        why = f"{files} {verb} none; instead of dartsctl's default list"
        return Proposal(settings=(ProposedSetting("ports", "production", {}, why),))
    settings: list[ProposedSetting] = []
    for service, ports in table.items():
        value: SettingValue = ports if len(ports) > 1 else ports[0]
        settings.append(ProposedSetting("ports.production", service, value, why))
        why = ""
    return Proposal(settings=tuple(settings))


def find_wait_timeouts(project: Project) -> Proposal:
    """Return `wait_timeout` for each stack with a slow image that has no health check."""
    settings: list[ProposedSetting] = []
    for name, facts in project.stacks.items():
        if project.settings.environments[name].wait_timeout is not None:
            continue
        if needed := wait_timeout(facts.stack, _image_checks(project, facts.stack)):
            seconds, why = needed
            settings.append(ProposedSetting(name, "wait_timeout", seconds, why))
    return Proposal(settings=tuple(settings))


def _image_checks(project: Project, stack: Stack) -> dict[str, HealthCheck]:
    """Return the health checks of slow images that are on the engine."""
    checks: dict[str, HealthCheck] = {}
    names = slow_services(stack)
    try:
        control = project.deps.engine().control() if names else None
        for name in names:
            image = stack.image_of(stack.services[name])
            check = control.image_check(image) if control else None
            if check is not None:
                checks[image] = check
    except DartsctlError:  # no engine: what the files say counts
        return checks
    return checks
