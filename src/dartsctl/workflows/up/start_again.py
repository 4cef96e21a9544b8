"""Start nginx again that has ended because a service was not there yet.

nginx looks its upstreams up once, when it starts, and ends if a name is missing: while the service
behind it starts, or restarts until another one listens. Without a restart policy it stays down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.records import replace
from dartsctl.stack.health import Condition, ContainerHealth, StackHealth

if TYPE_CHECKING:
    from collections.abc import Callable

    from dartsctl.edges.screen.output import Screen

_MOST_STARTS = 2
"""Starts of one proxy in one `up`. What ends again and again is not waiting for another service."""


class StartAgain:
    """Judges the health of a stack, and starts its nginx again when all others are ready.

    `missed_by` returns the service whose name an ended nginx missed, empty for none. `start` starts
    a service's existing containers, and returns why that failed, empty if it did not.
    """

    def __init__(
        self, missed_by: Callable[[str], str], start: Callable[[str], str], screen: Screen
    ) -> None:
        self._missed_by = missed_by
        self._start = start
        self._screen = screen
        self._starts = 0

    def judge(self, health: StackHealth) -> StackHealth:
        """Return `health` with a proxy that will be started again as starting."""
        ended = [each for each in health.containers if each.condition is Condition.FAILED]
        if len(ended) != 1 or self._starts >= _MOST_STARTS:
            return health
        proxy = ended[0]
        missed = self._missed_by(proxy.service)
        if not missed:
            return health
        is_needed = health.waiting_for == (proxy,)
        if not self._starts and _runs_unheard(missed, health):
            is_needed = True  # its name is there, and perhaps it waits for the proxy itself
        if is_needed:
            self._starts += 1
            self._screen.note(f"starting {proxy.service} again: {missed} was not there yet")
            failure = self._start(proxy.service)
            if failure:
                self._screen.warn(f"{proxy.service} could not be started again: {failure}")
                self._starts = _MOST_STARTS
                return health
        containers = [_waiting(each, missed, proxy) for each in health.containers]
        return StackHealth(tuple(containers))


def _runs_unheard(service: str, health: StackHealth) -> bool:
    return any(each.service == service and each.is_unheard for each in health.containers)


def _waiting(container: ContainerHealth, missed: str, proxy: ContainerHealth) -> ContainerHealth:
    if container is not proxy:
        return container
    reason = f"ended without {missed}, and is started again when that is ready"
    detail = f"{container.detail}; {reason}"
    return replace(container, condition=Condition.STARTING, detail=detail, reason=reason)
