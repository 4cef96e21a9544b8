"""The time of a watch: Unix time that goes on evenly, whoever sets the wall clock."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_TOLERANCE = 2.0
"""Seconds between both clocks that are no jump: NTP slews, and a loaded machine is late."""


class SteadyClock:
    """The wall clock at the start, and from then on the monotonic one.

    After a jump of the wall clock, which a suspended machine has too, it follows when the loop asks
    for it: then the state moves with it.
    """

    def __init__(self, wall: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._offset = wall() - monotonic()

    def __call__(self) -> float:
        return self._offset + self._monotonic()

    def follow(self) -> float:
        """Set this clock by the wall clock; return by how many seconds it had jumped, or 0."""
        difference = self._wall() - self()
        if abs(difference) <= _TOLERANCE:
            return 0.0
        self._offset += difference
        return difference
