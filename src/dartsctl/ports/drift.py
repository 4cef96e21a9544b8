"""Warnings: where a stack and `[ports.production]` disagree."""

from __future__ import annotations

from dartsctl.ports.notices import Notice, ports_phrase, runs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.ports.allocation import Allocation
    from dartsctl.stack.model import Stack


def drift(stack: Stack, allocation: Allocation) -> tuple[Notice, ...]:
    """Return where the production stack and `[ports.production]` disagree."""
    if allocation.is_default:
        return ()  # nobody has written such a table
    published, owners = stack.published_ports, allocation.owners
    undocumented: dict[int, str] = {}
    disputed: dict[int, tuple[str, str]] = {}
    for port, service in published.items():
        if port not in owners:
            undocumented[port] = service
        elif owners[port] != service:
            disputed[port] = (service, owners[port])
    unpublished = {port: service for port, service in owners.items() if port not in published}
    warnings = []
    for first, last, service in runs(undocumented):
        sentence = f"{ports_phrase(first, last)} published and not in [ports.production]"
        warnings.append(Notice("drift", service, sentence))
    for first, last, service in runs(unpublished):
        sentence = f"{ports_phrase(first, last)} in [ports.production] and not published"
        warnings.append(Notice("drift", service, sentence))
    for first, last, (service, owner) in runs(disputed):
        both = f"published by {service}, and {owner}'s in [ports.production]"
        warnings.append(Notice("drift", service, f"{ports_phrase(first, last)} {both}"))
    return tuple(warnings)


def dev_on_production_ports(stack: Stack, allocation: Allocation) -> tuple[Notice, ...]:
    """Return the production ports that a dev stack publishes (`[dev] production_ports`).

    Such a stack cannot run beside production.
    """
    shared: dict[int, tuple[str, str]] = {}
    for port, service in stack.published_ports.items():
        if port in allocation.owners:
            shared[port] = (service, allocation.claim(port))
    warnings = []
    for first, last, (service, _) in runs(shared):
        ports = f"port {first}" if first == last else f"ports {first}-{last}"
        sentence = f"{ports} {allocation.claim(first, plural=first != last)}"
        if not allocation.owners[first]:
            sentence += ", which [ports.production] in dartsctl.toml replaces"
        warnings.append(Notice("production-port", service, sentence))
    return tuple(warnings)
