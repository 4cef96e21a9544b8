"""Warnings: what works today and will hurt one day (DESIGN section 3, "Lint")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dartsctl.ports.allocation import Allocation
from dartsctl.ports.conflicts import BindingVerdict, Verdict
from dartsctl.ports.socket_table import ranges
from dartsctl.stack.containers import Container
from dartsctl.stack.model import PortEntry, Service, Stack

K = TypeVar("K", str, tuple[str, str])


@dataclass(frozen=True, slots=True)
class Notice:
    """`code` is for programs and does not change; `sentence` is for people."""

    code: str
    service: str
    sentence: str


def notices(
    stack: Stack,
    findings: Sequence[BindingVerdict],
    *,
    ephemeral_range: tuple[int, int] | None,
    containers: Sequence[Container] = (),
    restarting_wants: Mapping[str, Sequence[int]] | None = None,
) -> tuple[Notice, ...]:
    """All warnings about one stack. `restarting_wants` are the ports that containers in a crash loop will take at their next try."""
    found: list[Notice] = []
    for finding in findings:
        if finding.verdict is Verdict.UNCERTAIN:
            found.append(
                Notice(
                    "uncertain",
                    finding.binding.service,
                    f"port {finding.binding.published}: {finding.note}",
                )
            )
        elif finding.verdict is Verdict.FREE and finding.note:
            found.append(
                Notice(
                    "partly-busy",
                    finding.binding.service,
                    f"port {finding.binding.published}: {finding.note}",
                )
            )
    for service in stack.services.values():
        found += _about_service(service, stack, ephemeral_range)
    found += _flicker(stack, containers, restarting_wants or {})
    return tuple(dict.fromkeys(found))


def _about_service(
    service: Service, stack: Stack, ephemeral_range: tuple[int, int] | None
) -> list[Notice]:
    found = []
    fixed = [entry for entry in service.ports if not entry.is_ephemeral]
    if service.network_mode.startswith(("service:", "container:")) and service.ports:
        found.append(
            Notice(
                "shared-network",
                service.name,
                f"`ports` and network_mode {service.network_mode} exclude each other: `up` will fail",
            )
        )
    if service.network_mode == "host":
        found.append(
            Notice(
                "host-network",
                service.name,
                "network_mode host: its ports are the host's own and are not checked",
            )
        )
    if service.replicas > 1 and any(entry.span[0] == entry.span[1] for entry in fixed):
        found.append(
            Notice(
                "replicas-fixed-port",
                service.name,
                f"{service.replicas} replicas cannot share a fixed port",
            )
        )
    if ephemeral_range:
        found += _in_ephemeral_range(service.name, fixed, ephemeral_range)
    if stack.unset_variables and any(
        entry.is_ephemeral and not entry.published for entry in service.ports
    ):
        names = ", ".join(stack.unset_variables)
        found.append(
            Notice(
                "became-ephemeral",
                service.name,
                f"a port without a number, and unset variables ({names}): was a number meant?",
            )
        )
    if fixed and not service.has_health_check:
        found.append(
            Notice(
                "no-health-check",
                service.name,
                "no health check: it counts as ready as soon as it runs",
            )
        )
    return found


def _in_ephemeral_range(
    service: str, fixed: Sequence[PortEntry], ephemeral_range: tuple[int, int]
) -> list[Notice]:
    """One warning for each run of numbers, however many entries Compose has made of it."""
    numbers = {port for entry in fixed for port in range(entry.span[0], entry.span[1] + 1)}
    span = f"{ephemeral_range[0]}-{ephemeral_range[1]}"
    return [
        Notice(
            "ephemeral-range",
            service,
            f"{_ports(first, last, 'lies', 'lie')} in {span}, where any outgoing connection may take it",
        )
        for first, last in ranges(numbers)
        if first <= ephemeral_range[1] and last >= ephemeral_range[0]
    ]


def _ports(first: int, last: int, singular: str = "is", plural: str = "are") -> str:
    """`port 5000 is`, or `ports 5000-5009 are`."""
    return f"port {first} {singular}" if first == last else f"ports {first}-{last} {plural}"


def _runs(owners: Mapping[int, K]) -> list[tuple[int, int, K]]:
    """Numbers in a row that belong to the same, as (first, last, owner), ascending."""
    by_owner: dict[K, list[int]] = {}
    for port, owner in owners.items():
        by_owner.setdefault(owner, []).append(port)
    return sorted(
        (first, last, owner) for owner, ports in by_owner.items() for first, last in ranges(ports)
    )


def _flicker(
    stack: Stack, containers: Sequence[Container], wants: Mapping[str, Sequence[int]]
) -> list[Notice]:
    """A foreign crash loop holds its port only now and then, so that any preflight flickers (engine-rules.md#other-containers)."""
    ours = stack.published_ports
    found: list[Notice] = []
    for container in containers:
        wanted = {port: ours[port] for port in wants.get(container.id, ()) if port in ours}
        if container.project != stack.project:
            found += [
                Notice(
                    "crash-loop",
                    service,
                    f"{_ports(first, last)} wanted by {container.name} too, which restarts again and again",
                )
                for first, last, service in _runs(wanted)
            ]
    return found


def drift(stack: Stack, allocation: Allocation) -> tuple[Notice, ...]:
    """Where the production stack and the documented allocation disagree, in both directions."""
    published, owners = stack.published_ports, allocation.owners
    undocumented = {port: service for port, service in published.items() if port not in owners}
    unpublished = {port: service for port, service in owners.items() if port not in published}
    disputed = {
        port: (service, owners[port])
        for port, service in published.items()
        if owners.get(port, service) != service
    }
    return (
        *(
            Notice(
                "drift", service, f"{_ports(first, last)} published and not in [ports.production]"
            )
            for first, last, service in _runs(undocumented)
        ),
        *(
            Notice(
                "drift", service, f"{_ports(first, last)} in [ports.production] and not published"
            )
            for first, last, service in _runs(unpublished)
        ),
        *(
            Notice(
                "drift",
                service,
                f"{_ports(first, last)} published by {service}, and {owner}'s in [ports.production]",
            )
            for first, last, (service, owner) in _runs(disputed)
        ),
    )


def dev_on_production_ports(stack: Stack, allocation: Allocation) -> tuple[Notice, ...]:
    """A dev stack that publishes a production port cannot run beside production (`[dev] production_ports`)."""
    shared = {
        port: (service, allocation.owners[port])
        for port, service in stack.published_ports.items()
        if port in allocation.owners
    }
    return tuple(
        Notice(
            "production-port",
            service,
            f"{_ports(first, last, 'belongs', 'belong')} to production's {owner}",
        )
        for first, last, (service, owner) in _runs(shared)
    )
