"""PortIndex: which of many spans of ports meet another one, without looking at all of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_BUCKET_BITS = 8
"""Longer spans are listed once for every 256 numbers that they touch."""


class PortIndex:
    """Spans of ports, each a protocol with its first and last number, by their positions.

    The work of a question depends on the answer, and hardly on how many spans there are.
    """

    def __init__(self, spans: Iterable[tuple[str, int, int]]) -> None:
        self._single: dict[tuple[str, int], list[int]] = {}
        self._numbers: dict[str, list[int]] = {}
        """The numbers of single ports, in order, made when somebody asks for a longer span."""
        self._long: dict[tuple[str, int], list[tuple[int, int, int]]] = {}
        for position, (protocol, first, last) in enumerate(spans):
            if first == last:
                self._single.setdefault((protocol, first), []).append(position)
                continue
            for bucket in _buckets(first, last):
                self._long.setdefault((protocol, bucket), []).append((first, last, position))

    def meeting(self, protocol: str, first: int, last: int) -> list[int]:
        """Return the positions of all spans that have a number of `first`..`last`, in order."""
        near: list[int] = []
        for number in self._singles_within(protocol, first, last):
            near += self._single.get((protocol, number), ())
        if not self._long and first == last:
            return near
        for bucket in _buckets(first, last):
            for low, high, position in self._long.get((protocol, bucket), ()):
                if low <= last and high >= first:
                    near.append(position)
        return sorted(set(near))

    def _singles_within(self, protocol: str, first: int, last: int) -> Sequence[int]:
        if first == last:
            return (first,)
        if not self._numbers:
            for known, number in sorted(self._single):
                self._numbers.setdefault(known, []).append(number)
        numbers = self._numbers.get(protocol, [])
        return numbers[bisect_left(numbers, first) : bisect_right(numbers, last)]


def _buckets(first: int, last: int) -> range:
    return range(first >> _BUCKET_BITS, (last >> _BUCKET_BITS) + 1)
