"""Whether the engine answers, as a problem of its own while it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.observations import Looked
from dartsctl.alerts.problem import Problem, Subject
from dartsctl.workflows.watch.signals import LookWanted, Observed

if TYPE_CHECKING:
    from dartsctl.alerts.problem import Kind
    from dartsctl.errors import DockerUnavailable
    from dartsctl.workflows.watch.signals import Emit

ENGINE_DOWN = "engine-down"
"""The cause, as doctor names it."""
_COVERS: frozenset[Kind] = frozenset(("engine",))


class EngineState:
    """Remembers since when it does not answer, and why."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._since: float | None = None
        self._reason = ""

    def gone(self, error: DockerUnavailable, now: float, emit: Emit) -> None:
        """Report that it does not answer, once for each reason."""
        if self._since is None:
            self._since = now
        if error.message == self._reason:
            return
        self._reason = error.message
        problem = Problem(
            Subject("engine"),
            ENGINE_DOWN,
            error.message,
            error.hint,
            evidence=(self._address,),
            since=self._since,
            data={"endpoint": self._address},
        )
        emit(Observed(Looked((problem,), _COVERS), now))

    def answers(self, now: float, emit: Emit) -> None:
        """Report that it answers, if it did not before."""
        if self._since is None:
            return
        self._since, self._reason = None, ""
        emit(Observed(Looked((), _COVERS), now))
        emit(LookWanted("the engine answers again"))
