"""What a preflight says about ports: a verdict on every binding, and the conflicts."""

from __future__ import annotations

from enum import Enum

from dartsctl.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.ports.availability import Reason
    from dartsctl.ports.holders import Holder
    from dartsctl.stack.bindings import Endpoint, PortBinding
    from dartsctl.stack.publishing import Unbound


class Verdict(Enum):
    """What will become of a binding."""

    FREE = "free"
    HELD = "held"
    """A container of this project that `up` leaves running has it already."""
    CONFLICT = "conflict"
    UNCERTAIN = "uncertain"
    """It may fail, and nothing that is visible from outside of the engine decides it."""


@record
class Conflict:
    """One binding that cannot be created, and everybody who is in its way."""

    binding: PortBinding
    endpoints: tuple[Endpoint, ...]
    reason: Reason
    holders: tuple[Holder, ...] = ()

    def __hash__(self) -> int:  # a block's endpoints may be thousands
        return hash(self.binding)


@record
class BindingVerdict:
    """A binding with its verdict. `conflict` is set for CONFLICT; `note` says what else to know.

    `pinnable`: a range that is no longer uncertain when one free number of it is published instead.
    """

    binding: PortBinding
    verdict: Verdict
    note: str = ""
    conflict: Conflict | None = None
    pinnable: bool = False
    reservation: str = ""
    """`reserved by dartsctl watch (pid 7)`: it is free for this stack, and for nobody else."""


@record
class PortVerdicts:
    """Everything a preflight says about ports."""

    bindings: tuple[BindingVerdict, ...]
    unbound: tuple[Unbound, ...] = ()

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        return tuple(checked.conflict for checked in self.bindings if checked.conflict)
