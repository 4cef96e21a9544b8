"""Where the services of the stacks are, as the app in its container and on this host names them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.discovery.app.address_text import StackAddresses

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from dartsctl.discovery.app.app import App
    from dartsctl.discovery.stack_facts import StackFacts
    from dartsctl.discovery.written_model import WrittenService
    from dartsctl.ports.allocation import Allocation
    from dartsctl.stack.model import Service


def addresses_of(
    app: App,
    stacks: Mapping[str, StackFacts],
    written: WrittenService | None,
    allocation: Allocation,
) -> StackAddresses:
    """Return the addresses. `stacks` are as they will be, `written` is the app's service."""
    own: set[str] = set()
    own_ports: set[int] = set()
    if app.service is not None:
        own.add(app.service.name)
        own_ports |= app.service.ports | app.service.host_ports
    if written is not None:
        own |= written.hosts
    services: Mapping[str, Service] = {}
    if "dev" in stacks:
        services = stacks["dev"].stack.services
    targets = {name: _targets(service) for name, service in services.items() if name not in own}
    known: set[str] = set()
    if app.stack is not None:
        known.update(app.stack.stack.services)
    return StackAddresses(
        targets=targets,
        names=_names(stacks.values()),
        published=dict(_published(stacks.values())),
        own=frozenset(own),
        own_ports=frozenset(own_ports or {app.port}),
        left_out=frozenset(known - targets.keys() - own),
        production=allocation.owners,
        same_ports={name: _same_ports(service) for name, service in services.items()},
    )


def _targets(service: Service) -> frozenset[int]:
    """Return the container ports that a service publishes."""
    return frozenset(entry.target for entry in service.ports if entry.protocol == "tcp")


def _same_ports(service: Service) -> frozenset[int]:
    """Return the container ports that have the same number on this host."""
    spans = {entry.target: entry.span for entry in service.ports}
    return frozenset(port for port, span in spans.items() if span == (port, port))


def _names(stacks: Iterable[StackFacts]) -> dict[str, str]:
    """Return the names of containers, which other containers may use as host names."""
    names: dict[str, str] = {}
    for stack in stacks:
        for name, service in stack.stack.services.items():
            if service.container_name:
                names[service.container_name] = name
    return names


def _published(stacks: Iterable[StackFacts]) -> Iterator[tuple[int, tuple[str, int]]]:
    """Yield host port -> service and container port, of every stack."""
    for stack in stacks:
        for name, service in stack.stack.services.items():
            for entry in service.ports:
                if entry.protocol == "tcp" and not entry.is_ephemeral and entry.count == 1:
                    yield entry.span[0], (name, entry.target)
