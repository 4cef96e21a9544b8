"""Production's ports: the documented allocation, and what the production stack publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.config.documented_ports import documented_ports
from dartsctl.config.environment import resolve
from dartsctl.config.settings import PRODUCTION, Settings
from dartsctl.errors import DartsctlError, UsageError
from dartsctl.stack.compose_model import read_stack
from dartsctl.workflows.deps import FilesReader

if TYPE_CHECKING:
    from dartsctl.ports.allocation import Allocation
    from dartsctl.workflows.deps import ComposeOn


def production_ports(
    settings: Settings, compose_on: ComposeOn, *, deadline: float | None = None
) -> tuple[Allocation, DartsctlError | None]:
    """Return production's ports, and why Compose could not be asked for the published ones.

    The production stack need not be on this machine: then the documented ports are all there is.
    `deadline`: seconds that Compose has, if its own minute is too long.
    """
    documented = documented_ports(settings)
    try:
        reader = FilesReader(compose_on, deadline)
        production = resolve(settings, PRODUCTION, reader=reader)
        compose = compose_on(production, deadline=deadline)
        stack = read_stack(compose.config().model)
    except UsageError:  # no Compose file of production is here
        return documented, None
    except DartsctlError as error:
        return documented, error
    return documented.united_with(stack.published_ports, production.shown_files), None
