"""A recording of a watch: its signals as JSON lines, which can be replayed with another clock.

What the screen alone shows (`Seen`) is not recorded, and what channels report (`Sent`) happens
again in a replay.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dartsctl.alerts.observation_document import observation_document, read_observation
from dartsctl.alerts.observations import ClockJumped
from dartsctl.text.strict_json import Cursor, Source, read_json
from dartsctl.workflows.watch.signals import LookWanted, Note, Noticed, Observed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dartsctl.workflows.watch.loop import Watcher
    from dartsctl.workflows.watch.signals import Signal

_TICK = 1.0
"""Seconds between two ticks, as in the loop."""


class Recorder:
    """Writes each signal with its time."""

    def __init__(self, write: Callable[[str], None]) -> None:
        """`write` takes a line without its end."""
        self._write = write

    def record(self, signal: Signal, now: float) -> None:
        """Write a signal that the loop handles at `now`."""
        document = _document(signal)
        if document:
            line = {"at": now, **document}
            self._write(json.dumps(line, ensure_ascii=False, allow_nan=False))


class ReplayClock:
    """A clock that a replay sets."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def read_recording(lines: Iterable[str], name: str) -> Iterator[tuple[float, Signal]]:
    """Yield the signals with their times. Raises DartsctlError for a line that is none."""
    source = Source(name)
    for line in lines:
        if line.strip():
            cursor = read_json(line, source)
            yield cursor.at("at").number(), _signal(cursor)


def replay(
    signals: Iterable[tuple[float, Signal]],
    watcher: Watcher,
    clock: ReplayClock,
    *,
    afterwards: float = 0.0,
) -> None:
    """Handle the signals at their times, with a tick a second in between.

    `afterwards`: seconds that pass after the last one.
    """
    for when, signal in signals:
        jump = 0.0
        if isinstance(signal, Observed) and isinstance(signal.observation, ClockJumped):
            jump = signal.observation.seconds
        _pass(watcher, clock, when - jump)
        clock.now += jump
        watcher.handle(signal)
        watcher.end_turn(_ignore)
    _pass(watcher, clock, clock.now + afterwards)


def _pass(watcher: Watcher, clock: ReplayClock, until: float) -> None:
    while clock.now + _TICK <= until:
        clock.now += _TICK
        watcher.tick()
        watcher.end_turn(_ignore)
    clock.now = max(clock.now, until)


def _ignore(_signal: Signal) -> None:
    """Nobody waits for signals in a replay."""


def _document(signal: Signal) -> dict[str, object]:
    match signal:
        case Observed(observation, when):
            return {"observed": observation_document(observation), "when": when}
        case Noticed(source, service, what, when):
            return {"noticed": what, "source": source, "service": service, "when": when}
        case LookWanted(reason):
            return {"look_wanted": reason}
        case Note(text, when):
            return {"note": text, "when": when}
    return {}


def _signal(cursor: Cursor) -> Signal:
    if cursor.at("observed").value is not None:
        return Observed(read_observation(cursor.at("observed")), cursor.at("when").number())
    if cursor.at("noticed").value is not None:
        return Noticed(
            cursor.at("source").text(),
            cursor.at("service").text(),
            cursor.at("noticed").prose(),
            cursor.at("when").number(),
        )
    if cursor.at("note").value is not None:
        return Note(cursor.at("note").prose(), cursor.at("when").number())
    return LookWanted(cursor.at("look_wanted").prose())
