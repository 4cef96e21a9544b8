"""Production's ports: the documented allocation, united with what the production stack really publishes."""

from __future__ import annotations

from dartsctl import stack
from dartsctl.allocation import Allocation
from dartsctl.edges.docker import Compose
from dartsctl.errors import DartsctlError


def allocation(documented: Allocation, production: Compose | None) -> tuple[Allocation, str]:
    """The union, and why it could not be made where Compose cannot read the production files (then the documented ports count alone)."""
    if production is None:
        return documented, ""
    try:
        model = stack.read(production.config().model)
    except DartsctlError as error:
        return documented, error.message
    return documented.united_with(model.published_ports), ""
