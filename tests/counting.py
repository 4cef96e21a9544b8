"""How much work a function does: the calls that it makes, which no busy machine changes."""

from __future__ import annotations

import sys
from collections.abc import Callable


def calls_in(work: Callable[[], object]) -> int:
    """Return how many functions are called, directly or not, those written in C included."""
    count = 0

    def see(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def growth(work_of: Callable[[int], Callable[[], object]], size: int) -> float:
    """Return the factor by which the work grows where the size is doubled.

    `work_of` prepares the work of a size. It is done once before, for what is loaded lazily.
    """
    work_of(size)()
    return calls_in(work_of(2 * size)) / calls_in(work_of(size))
