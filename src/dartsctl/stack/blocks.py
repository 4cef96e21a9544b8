"""Blocks: many fixed ports in a row, kept as one piece from Compose's model to the answer.

Compose writes `49152-65535:49152-65535` out as 16,384 entries. They are folded into one, and cut again only where something makes
their numbers differ: another binding of the stack, a socket, a container. So the work depends on what is in the way, not on the length.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from dartsctl.stack.bindings import PortBinding
from dartsctl.stack.model import PortEntry

SHORTEST = 8
"""Shorter runs stay single rows: they are usually written port by port, and read so."""


def fold(entries: Iterable[PortEntry]) -> list[PortEntry]:
    """Join runs of `SHORTEST` or more entries whose host and container ports both count up by one; the rest stays as it is."""
    folded: list[PortEntry] = []
    run: list[PortEntry] = []
    for entry in entries:
        if run and not _follows(run[-1], entry):
            folded += _joined(run)
            run = []
        run.append(entry)
    return folded + _joined(run)


def _follows(last: PortEntry, entry: PortEntry) -> bool:
    if entry.target != last.target + 1 or not (
        last.published.isdecimal() and entry.published.isdecimal()
    ):
        return False
    same_place = (entry.protocol, entry.host_ip) == (last.protocol, last.host_ip)
    return same_place and int(entry.published) == int(last.published) + 1 and last.published != "0"


def _joined(run: Sequence[PortEntry]) -> list[PortEntry]:
    if len(run) < SHORTEST:
        return list(run)
    return [replace(run[0], published=f"{run[0].published}-{run[-1].published}", count=len(run))]


def edges(bindings: Iterable[PortBinding]) -> list[int]:
    """Where bindings begin, and the numbers after their last ones, ascending."""
    return sorted({edge for binding in bindings for edge in (binding.first, binding.last + 1)})


def edges_of_marks(marks: Mapping[int, object]) -> set[int]:
    """Where a mark begins, ends or becomes another one; a number without a mark is like every other one without."""
    found: set[int] = set()
    for number, mark in marks.items():
        if marks.get(number - 1) != mark:
            found.add(number)
        if marks.get(number + 1) != mark:
            found.add(number + 1)
    return found


def cut(binding: PortBinding, edges: Sequence[int]) -> Iterator[PortBinding]:
    """The pieces of `binding` between the `edges` (ascending) that lie inside it; itself where there are none or it is no block."""
    if not binding.is_block:
        yield binding
        return
    inside = edges[bisect_right(edges, binding.first) : bisect_left(edges, binding.last + 1)]
    starts = [binding.first, *inside]
    for first, following in zip(starts, [*starts[1:], binding.last + 1], strict=True):
        yield binding.part(first, following - 1)
