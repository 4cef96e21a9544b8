"""Whether a server answers over HTTP, asked without waiting for the answer."""

from __future__ import annotations

from dartsctl.edges.http.probe import HttpAnswer, HttpProbe
from dartsctl.stack.bindings import reachable_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE = 10.0  # seconds that one request may take
_PAUSE = 0.25  # seconds between two requests: each one is a line in the server's log


class HealthCheck:
    """Requests to a server until it answers as it should: below 400 on `path`, if there is one.

    Without a `path`, any answer counts.
    """

    def __init__(self, path: str | None, *, monotonic: Callable[[], float]) -> None:
        self.path = path or "/"
        self.last_answer = HttpAnswer("no answer")
        self._any_answer = path is None
        self._monotonic = monotonic
        self._probe: HttpProbe | None = None
        self._next_at = 0.0

    def passes(self, address: str, port: int) -> bool:
        """Return whether the server on `address` has answered. Never blocks."""
        if self._probe is None:
            if self._monotonic() < self._next_at:
                return False
            self._probe = HttpProbe(reachable_address(address), port, self.path, patience=_PATIENCE)
        answer = self._probe.poll()
        if answer is None:
            return False
        self.close()
        self.last_answer = answer
        self._next_at = self._monotonic() + _PAUSE
        if self._any_answer:
            return answer.has_bytes
        return answer.status is not None and answer.status < 400

    def close(self) -> None:
        """Close an open request's connection."""
        if self._probe is not None:
            self._probe.close()
            self._probe = None
