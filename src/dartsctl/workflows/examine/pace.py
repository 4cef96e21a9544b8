"""The pace of our requests: together they stay below every limit that the site has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from dartsctl.diagnosis.nginx.limits import Limit
    from dartsctl.workflows.deps import Deps


class Pace:
    """When the next request may be sent. Every client of a zone is taken for the same one."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._free_from: dict[str, float] = {}

    def wait_for(self, limits: Collection[Limit], until: float) -> bool:
        """Wait for the turn of a request with these limits. Return False if it is too late."""
        now = self._deps.monotonic()
        turn = max((self._free_from.get(limit.zone, now) for limit in limits), default=now)
        if turn > until:
            return False
        if turn > now:
            self._deps.sleep(turn - now)
        return True

    def used(self, limits: Collection[Limit]) -> None:
        """Say that a request with these limits was sent, or has just been answered."""
        for limit in limits:
            self._free_from[limit.zone] = self._deps.monotonic() + limit.pause
