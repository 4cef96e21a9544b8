"""Blocks: many consecutive fixed ports that are handled as one piece.

Compose writes `49152-65535:49152-65535` out as 16,384 entries. They are folded into one block, and
cut only where their numbers differ: at another binding of the stack, a socket or a container. So
the work depends on the number of obstacles and not on the number of ports.
"""

from __future__ import annotations

from dartsctl.records import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dartsctl.stack.bindings import PortBinding
    from dartsctl.stack.model import PortEntry

SHORTEST_BLOCK = 8
"""Shorter runs stay separate entries: they are usually written, and read, port by port."""


def fold(entries: Iterable[PortEntry]) -> list[PortEntry]:
    """Join runs of SHORTEST_BLOCK or more entries whose host and container ports both count up.

    All other entries stay as they are.
    """
    folded: list[PortEntry] = []
    run: list[PortEntry] = []
    for entry in entries:
        if run and not _follows(run[-1], entry):
            folded += _joined(run)
            run = []
        run.append(entry)
    return folded + _joined(run)


def _follows(last: PortEntry, entry: PortEntry) -> bool:
    if entry.target != last.target + 1:
        return False
    if (entry.protocol, entry.host_ip) != (last.protocol, last.host_ip):
        return False
    if not last.published.isdecimal() or not entry.published.isdecimal():
        return False
    return int(entry.published) == int(last.published) + 1 and last.published != "0"


def _joined(run: Sequence[PortEntry]) -> list[PortEntry]:
    if len(run) < SHORTEST_BLOCK:
        return list(run)
    return [replace(run[0], published=f"{run[0].published}-{run[-1].published}", count=len(run))]


def edges(bindings: Iterable[PortBinding]) -> list[int]:
    """Return the first numbers of bindings, and the numbers after their last ones, in order."""
    numbers: set[int] = set()
    for binding in bindings:
        numbers |= {binding.first, binding.last + 1}
    return sorted(numbers)


def edges_of_marks(marks: Mapping[int, object]) -> set[int]:
    """Return where a mark starts, ends or changes.

    All numbers without a mark are alike.
    """
    edges: set[int] = set()
    for number, mark in marks.items():
        if marks.get(number - 1) != mark:
            edges.add(number)
        if marks.get(number + 1) != mark:
            edges.add(number + 1)
    return edges


def cut(binding: PortBinding, edges: Sequence[int]) -> Iterator[PortBinding]:
    """Yield the pieces of a block between the `edges`, which are in order.

    Anything but a block is yielded as it is.
    """
    if not binding.is_block:
        yield binding
        return
    from bisect import bisect_left, bisect_right

    inside = edges[bisect_right(edges, binding.first) : bisect_left(edges, binding.last + 1)]
    starts = [binding.first, *inside]
    for first, following in zip(starts, [*starts[1:], binding.last + 1], strict=True):
        yield binding.part(first, following - 1)
