"""Warnings: what works today and will hurt one day (DESIGN section 3, "Lint")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dartsctl.allocation import Allocation
from dartsctl.conflicts import Finding, Verdict
from dartsctl.containers import Container
from dartsctl.stack import Service, Stack


@dataclass(frozen=True, slots=True)
class Notice:
    """`code` is for programs and does not change; `sentence` is for people."""

    code: str
    service: str
    sentence: str


def notices(
    stack: Stack,
    findings: Sequence[Finding],
    *,
    ephemeral_range: tuple[int, int] | None,
    containers: Sequence[Container] = (),
    restarting_wants: Mapping[str, Sequence[int]] | None = None,
) -> tuple[Notice, ...]:
    """All warnings about one stack. `restarting_wants` are the ports that containers in a crash loop will take at their next try."""
    found: list[Notice] = []
    for finding in findings:
        if finding.verdict is Verdict.UNCERTAIN:
            found.append(Notice("uncertain", finding.binding.service, f"port {finding.binding.published}: {finding.note}"))
        elif finding.verdict is Verdict.FREE and finding.note:
            found.append(Notice("partly-busy", finding.binding.service, f"port {finding.binding.published}: {finding.note}"))
    for service in stack.services.values():
        found += _about_service(service, stack, ephemeral_range)
    found += _flicker(stack, containers, restarting_wants or {})
    return tuple(dict.fromkeys(found))


def _about_service(service: Service, stack: Stack, ephemeral_range: tuple[int, int] | None) -> list[Notice]:
    found = []
    fixed = [entry for entry in service.ports if not entry.is_ephemeral]
    if service.network_mode.startswith(("service:", "container:")) and service.ports:
        found.append(Notice("shared-network", service.name, f"`ports` and network_mode {service.network_mode} exclude each other: `up` will fail"))
    if service.network_mode == "host":
        found.append(Notice("host-network", service.name, "network_mode host: its ports are the host's own and are not checked"))
    if service.replicas > 1 and any(entry.span[0] == entry.span[1] for entry in fixed):
        found.append(Notice("replicas-fixed-port", service.name, f"{service.replicas} replicas cannot share a fixed port"))
    for entry in fixed:
        first, last = entry.span
        if ephemeral_range and first <= ephemeral_range[1] and last >= ephemeral_range[0]:
            span = f"{ephemeral_range[0]}-{ephemeral_range[1]}"
            found.append(Notice("ephemeral-range", service.name, f"port {entry.published} lies in {span}, where any outgoing connection may take it"))
    if stack.unset_variables and any(entry.is_ephemeral and not entry.published for entry in service.ports):
        names = ", ".join(stack.unset_variables)
        found.append(Notice("became-ephemeral", service.name, f"a port without a number, and unset variables ({names}): was a number meant?"))
    if fixed and not service.has_health_check:
        found.append(Notice("no-health-check", service.name, "no health check: it counts as ready as soon as it runs"))
    return found


def _flicker(stack: Stack, containers: Sequence[Container], wants: Mapping[str, Sequence[int]]) -> list[Notice]:
    """A foreign crash loop holds its port only now and then, so that any preflight flickers (PORTS.md 1.3)."""
    ours = stack.published_ports
    return [
        Notice("crash-loop", ours[port], f"port {port} is wanted by {container.name} too, which restarts again and again")
        for container in containers
        for port in wants.get(container.id, ())
        if port in ours and container.project != stack.project
    ]


def drift(stack: Stack, allocation: Allocation) -> tuple[Notice, ...]:
    """Where the production stack and the documented allocation disagree, in both directions."""
    published = stack.published_ports
    found = [
        Notice("drift", service, f"port {port} is published and not in [ports.production]")
        for port, service in sorted(published.items())
        if port not in allocation.owners
    ]
    found += [
        Notice("drift", service, f"port {port} is in [ports.production] and nothing publishes it")
        for port, service in sorted(allocation.owners.items())
        if port not in published
    ]
    found += [
        Notice("drift", service, f"port {port} is {allocation.owners[port]}'s in [ports.production], and {service} publishes it")
        for port, service in sorted(published.items())
        if port in allocation.owners and allocation.owners[port] != service
    ]
    return tuple(found)


def dev_on_production_ports(stack: Stack, allocation: Allocation) -> tuple[Notice, ...]:
    """A dev stack that publishes a production port cannot run beside production (`[dev] production_ports`)."""
    return tuple(
        Notice("production-port", service, f"port {port} belongs to production's {allocation.owners[port]}")
        for port, service in sorted(stack.published_ports.items())
        if port in allocation.owners
    )
