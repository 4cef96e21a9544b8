"""Production's ports as the settings have them, each with its line."""

from __future__ import annotations

from dartsctl.ports.allocation import Allocation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.config.settings import Settings


def documented_ports(settings: Settings) -> Allocation:
    """Return `[ports.production]`, else the default list."""
    if settings.ports.is_default:
        return Allocation.default()
    services = settings.ports.production
    origins = {name: settings.origins.get(("ports", "production", name), "") for name in services}
    lines = {name: origin.partition(": ")[0] for name, origin in origins.items()}
    return Allocation.of(services, lines)
