"""When the state of a watch is saved: before a message leaves, and otherwise now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from dartsctl.alerts.clock import shift
from dartsctl.alerts.state import State
from dartsctl.records import fields, replace

if TYPE_CHECKING:
    from dartsctl.alerts.outbox import Outbox

_PAUSE = 1.0
"""Seconds between two saves of changes that send nothing: in a flood there are many."""
_TRY_AGAIN = 10.0
"""Seconds until a file that could not be written is tried again."""
_FIELDS = sorted(fields(State).keys() - {"now", "due"})
_ALIVE = 30.0
"""Seconds after which the time of the latest observation is saved, if nothing else changed."""


class StateFile(Protocol):
    """Where the state is saved."""

    @property
    def fails(self) -> bool:
        """Whether the latest state is only in memory."""

    def save(self, state: State, outbox: Outbox) -> str:
        """Save both. Never raises; return what there is to say."""


class Saver:
    """Saves what has changed. Every method is called by the loop."""

    def __init__(self, file: StateFile, state: State, outbox: Outbox) -> None:
        """`state`, `outbox`: what the file says."""
        self._file = file
        self._state = state
        self._outbox = outbox
        self._when = 0.0

    def save(self, state: State, outbox: Outbox, now: float, *, at_once: bool = False) -> str:
        """Save what has changed if it is time; return what there is to say.

        `at_once`: it is, unless the file could not be written just now.
        """
        if self._file.fails:
            is_due = not 0 <= now - self._when < _TRY_AGAIN
        elif at_once or outbox != self._outbox:
            is_due = True
        else:
            is_due = not 0 <= now - self._when < _PAUSE and self._has_changed(state)
        if not is_due:
            return ""
        return self.save_now(state, outbox, now)

    def save_now(self, state: State, outbox: Outbox, now: float) -> str:
        """Save whatever there is."""
        self._state, self._outbox, self._when = state, outbox, now
        return self._file.save(state, outbox)

    def _has_changed(self, state: State) -> bool:
        saved = self._state
        if state.now - saved.now >= _ALIVE:
            return True
        return _what_matters(state) != _what_matters(saved)


def _what_matters(state: State) -> tuple[object, ...]:
    """Return everything but the time."""
    return tuple(getattr(state, name) for name in _FIELDS)


def resumed(state: State, now: float) -> State:
    """Return a loaded state as one to go on with at `now`.

    A verb that changed the stack may have ended meanwhile: the source says what goes on. A clock
    that was wrong when the state was saved must not stop the time.
    """
    if state.now > now:
        state = shift(state, now - state.now)
    work = state.work
    if work is not None and work.ended is None:
        state = replace(state, work=None)
    return state
