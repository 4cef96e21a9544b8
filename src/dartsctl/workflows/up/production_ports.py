"""Production's ports: the documented allocation, united with what the production stack really publishes."""

from __future__ import annotations

from dartsctl.edges.engine.compose import Compose
from dartsctl.ports.allocation import Allocation
from dartsctl.stack.model import read_stack


def allocation(documented: Allocation, production: Compose) -> Allocation:
    """Return the union. Raises DartsctlError where Compose cannot read the production files, TimedOut where it takes too long."""
    return documented.united_with(read_stack(production.config().model).published_ports)
