"""Errors that the proxy has logged about the servers behind it: what the users meet.

The checks may be fine meanwhile: they ask few locations, and few times. Many errors of one service
within a minute are a problem of their own where doctor has no cause.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import TYPE_CHECKING

from dartsctl.alerts.problem import Problem, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CAUSE = "upstream-errors"
WINDOW = 60.0
"""Seconds in which errors are counted."""
MANY, _FEW = 5, 2
"""Errors within the window that make a problem, and that keep it."""
_MOST = 1000
"""Errors of a service that are remembered."""


class UpstreamErrors:
    """The errors of the last minute, by service, and how many there were in all."""

    def __init__(self) -> None:
        self._recent: dict[str, deque[tuple[float, str]]] = {}
        self._last_line: dict[str, str] = {}
        self._totals: Counter[str] = Counter()
        self._began: dict[str, float] = {}
        """Service -> since when there are many."""
        self._lock = threading.Lock()

    @property
    def totals(self) -> Mapping[str, int]:
        """The errors by service since the watch began; at least so many after a flood."""
        with self._lock:
            return dict(self._totals)

    def record(self, service: str, kind: str, line: str, when: float) -> bool:
        """Count an error. Return whether it is the one with which there are many.

        `kind`: in words. `line`: the log's, as it is.
        """
        with self._lock:
            self._expire(service, when)
            recent = self._recent.setdefault(service, deque(maxlen=_MOST))
            recent.append((when, kind))
            self._last_line[service] = line
            self._totals[service] += 1
            return len(recent) == MANY

    def forget(self, service: str) -> None:
        """Take the errors so far as explained: the service's outage has a cause or was planned."""
        with self._lock:
            self._recent.pop(service, None)
            self._began.pop(service, None)

    def services(self) -> tuple[str, ...]:
        """Return the services that have had errors lately."""
        with self._lock:
            return tuple(self._recent)

    def problem(
        self, service: str, now: float, *, command: str, shown: Callable[[str], str]
    ) -> Problem | None:
        """Return the problem of a service, None if it has too few errors.

        It begins with many errors, and lasts until there are only few. `shown`: masks a line, which
        would take too long for every line of a flood.
        """
        with self._lock:
            self._expire(service, now)
            recent = tuple(self._recent.get(service, ()))
            least = _FEW if service in self._began else MANY
            if len(recent) < least:
                self._began.pop(service, None)
                return None
            began = self._began.setdefault(service, recent[0][0])
            last_line = self._last_line[service]
        kinds = Counter(kind for _, kind in recent)
        number = str(len(recent))
        if len(recent) == _MOST:
            number = f"at least {_MOST}"
        counts = [f"{_times(count)} {kind}" for kind, count in kinds.most_common()]
        return Problem(
            Subject("service", service),
            CAUSE,
            f"the proxy logged {number} errors of {service} in the last {WINDOW:.0f} s, and "
            f"no cause is known: {', '.join(counts)}",
            command,
            evidence=(*counts, f"last line of the proxy's error log: {shown(last_line)}"),
            since=began,
            data={"errors": len(recent), "seconds": WINDOW, "kinds": dict(kinds)},
        )

    def _expire(self, service: str, now: float) -> None:
        recent = self._recent.get(service)
        while recent and recent[0][0] <= now - WINDOW:
            recent.popleft()
        if recent is not None and not recent:
            del self._recent[service]


def _times(count: int) -> str:
    if count == 1:
        return "once"
    return f"{count} times"
