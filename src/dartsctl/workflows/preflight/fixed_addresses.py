"""Fixed container addresses and the engine's networks, before `up` and after a failure."""

from __future__ import annotations

from dartsctl.ports.fixed_addresses import (
    AddressTaken,
    held_now,
    networks_of_interest,
    taken_addresses,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.edges.engine.protocol import EngineControl
    from dartsctl.stack.containers import Container
    from dartsctl.stack.convergence import Convergence
    from dartsctl.stack.model import Stack
    from dartsctl.stack.subnets import NetworkUse
    from dartsctl.workflows.deps import Deps


def find(
    stack: Stack,
    containers: Sequence[Container],
    convergence: Convergence,
    control: EngineControl | None,
) -> tuple[AddressTaken, ...]:
    """Return the fixed addresses of a stack that no `up` gets."""
    uses = _uses(stack, control)
    return tuple(taken_addresses(stack, uses, containers, convergence))


def holders_now(stack: Stack, *, deps: Deps) -> tuple[AddressTaken, ...]:
    """Return who has the stack's fixed addresses at this moment: after the engine's own error."""
    engine = deps.engine()
    return tuple(held_now(stack, _uses(stack, engine.control()), engine.containers()))


def _uses(stack: Stack, control: EngineControl | None) -> dict[str, NetworkUse]:
    if control is None:
        return {}
    uses = {name: control.network_use(name) for name in networks_of_interest(stack)}
    return {name: use for name, use in uses.items() if use is not None}
