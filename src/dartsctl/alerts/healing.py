"""When `watch --heal` tries to repair a service: pauses that grow, and a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.records import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dartsctl.alerts.state import State

PAUSES = (0.0, 15.0, 60.0, 300.0)
"""Seconds before each attempt; there are no more of them."""
FORGET_AFTER = 3600.0
"""Seconds after the last attempt, after which they are counted from the beginning."""


@record
class Attempts:
    """The attempts to heal a service. `last`: when the latest one ended, Unix time."""

    count: int = 0
    last: float = 0.0

    @property
    def is_last(self) -> bool:
        """Whether no attempt is left."""
        return self.count >= len(PAUSES)

    def after(self, now: float) -> Attempts:
        """Return them after one more attempt, which ended now."""
        return Attempts(self.count + 1, now)


def services_to_heal(state: State, attempts: Mapping[str, Attempts], now: float) -> frozenset[str]:
    """Return the services with an alert whose next attempt is due.

    Nothing is done while a dartsctl verb works, or where a person has acknowledged the alert. A
    stop on purpose is no alert.
    """
    if state.work and state.work.ended is None:
        return frozenset()
    due = set()
    for subject, episode in state.episodes.items():
        if subject.kind != "service" or episode.phase != "open" or episode.acknowledged:
            continue
        if _is_due(attempts.get(subject.name), now):
            due.add(subject.name)
    return frozenset(due)


def still_counted(attempts: Mapping[str, Attempts], now: float) -> dict[str, Attempts]:
    """Return the attempts without those of long ago."""
    return {service: row for service, row in attempts.items() if now - row.last < FORGET_AFTER}


def _is_due(attempts: Attempts | None, now: float) -> bool:
    if attempts is None:
        return True
    return not attempts.is_last and now - attempts.last >= PAUSES[attempts.count]
