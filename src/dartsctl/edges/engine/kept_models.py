"""Answers of Compose that were asked for early, for the call that would ask the same again."""

from __future__ import annotations

import time

from dartsctl.records import field, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.spawn import Completed

_FRESH = 10.0
"""Seconds for which an answer counts: while one waits for a lock, the files may change."""


class Answered:
    """A process that has ended already, in place of a `spawn.Running`."""

    def __init__(self, done: Completed) -> None:
        self._done = done

    def result(self, *, deadline: float) -> Completed:
        """Return the output at once."""
        del deadline
        return self._done

    def abandon(self) -> None:
        """Do nothing: there is no process."""


@record(frozen=False)
class KeptModels:
    """The answers by their command line. Each is given out once."""

    _answers: dict[tuple[str, ...], tuple[float, Completed]] = field(default_factory=dict)

    def keep(self, argv: Sequence[str], done: Completed) -> None:
        """Keep an answer for the next call with this command line."""
        self._answers[tuple(argv)] = (time.monotonic(), done)

    def clear(self) -> None:
        """Forget all answers."""
        self._answers.clear()

    def take(self, argv: Sequence[str]) -> Answered | None:
        """Return the answer for this command line, None without a fresh one."""
        kept = self._answers.pop(tuple(argv), None)
        if kept is None or time.monotonic() - kept[0] > _FRESH:
            return None
        return Answered(kept[1])
