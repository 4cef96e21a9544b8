"""Blocks in pieces: where they are cut, and one verdict for neighbours that are alike."""

from __future__ import annotations

from dartsctl.records import replace
from dartsctl.stack import blocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dartsctl.ports.availability import Availability
    from dartsctl.ports.conflicts import BindingVerdict
    from dartsctl.stack.bindings import Endpoint, PortBinding, TransportProtocol


def cuts(
    new: Sequence[PortBinding], availability: Availability
) -> dict[TransportProtocol, list[int]]:
    """Return where to cut blocks: all numbers of a piece meet the same bindings and obstacles.

    All blocks of a protocol are cut at the same numbers: two pieces are then either the same
    numbers, or have none in common.
    """
    by_protocol: dict[TransportProtocol, list[PortBinding]] = {}
    for binding in new:
        by_protocol.setdefault(binding.protocol, []).append(binding)
    cuts: dict[TransportProtocol, list[int]] = {}
    for protocol, own in by_protocol.items():
        own_blocks = {_anonymous(binding) for binding in own if binding.is_block}
        if own_blocks:
            numbers = set(blocks.edges(own))
            for block in own_blocks:
                numbers |= blocks.edges_of_marks(availability.marks(block))
            cuts[protocol] = sorted(numbers)
    return cuts


def _anonymous(block: PortBinding) -> PortBinding:
    """A block without what does not matter to the kernel."""
    return replace(block, service="", replica=0, target=0)


def joined(pieces: Iterable[BindingVerdict]) -> Iterator[BindingVerdict]:
    """Yield the verdicts on the pieces of one block, equal neighbours in one."""
    run: list[BindingVerdict] = []
    for piece in pieces:
        if run and not _are_alike(run[0], piece):
            yield _merged(run)
            run = []
        run.append(piece)
    if run:
        yield _merged(run)


def _are_alike(left: BindingVerdict, right: BindingVerdict) -> bool:
    """Whether the verdicts on two pieces differ only in their numbers."""
    if (left.verdict, left.note) != (right.verdict, right.note):
        return False
    if left.conflict is None or right.conflict is None:
        return True
    if left.conflict.reason != right.conflict.reason:
        return False
    return left.conflict.holders == right.conflict.holders


def _merged(run: Sequence[BindingVerdict]) -> BindingVerdict:
    """Verdicts on neighbouring pieces that are alike as one."""
    first = run[0]
    if len(run) == 1:
        return first
    binding = replace(first.binding, last=run[-1].binding.last, is_block=True)
    if first.conflict is None:
        return replace(first, binding=binding)
    endpoints: list[Endpoint] = []
    for piece in run:
        if piece.conflict:
            endpoints += piece.conflict.endpoints
    conflict = replace(first.conflict, binding=binding, endpoints=tuple(endpoints))
    return replace(first, binding=binding, conflict=conflict)
