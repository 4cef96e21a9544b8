"""Moves: what a dev stack has on this machine instead of what its files say."""

from __future__ import annotations

from dartsctl.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from dartsctl.ports.shared import SharedKind
    from dartsctl.stack.bindings import TransportProtocol


@record
class Move:
    """One entry of a service's ports, published on `new` instead. `old` is what the files say."""

    service: str
    target: int
    protocol: TransportProtocol
    old: str
    new: int


@record
class NameMove:
    """A service that gets Compose's default container name. `old` is what the files say."""

    service: str
    old: str


@record
class SharedMove:
    """A volume, network, subnet or image that the stack has for itself. `old` is its name or value.

    `key` is its key in the files; an image has that of its service.
    """

    kind: SharedKind
    key: str
    old: str


AnyMove = Move | NameMove | SharedMove


def port_moves(moves: Iterable[AnyMove]) -> list[Move]:
    """Return the moves that are of ports."""
    return [move for move in moves if isinstance(move, Move)]
