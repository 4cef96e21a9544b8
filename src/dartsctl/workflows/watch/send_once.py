"""Sends what one look has found: by the state file of the watch, so that nothing is repeated."""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING

from dartsctl.alerts.observations import Looked, Silenced
from dartsctl.edges.state.watch_lock import watch_lock
from dartsctl.edges.state.watch_state import WatchState
from dartsctl.errors import Refused
from dartsctl.records import field, record, replace
from dartsctl.workflows.watch.build_view import ViewBoard
from dartsctl.workflows.watch.channels import delivery_to, destinations_of
from dartsctl.workflows.watch.known import Known
from dartsctl.workflows.watch.loop import Watcher
from dartsctl.workflows.watch.request import rules_of
from dartsctl.workflows.watch.saving import Saver, resumed
from dartsctl.workflows.watch.signals import Observed

if TYPE_CHECKING:
    from dartsctl.alerts.observations import Silence
    from dartsctl.alerts.rules import Rules
    from dartsctl.alerts.state import Message
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.delivery import Delivery
    from dartsctl.workflows.watch.look import LookResult
    from dartsctl.workflows.watch.request import WatchRequest
    from dartsctl.workflows.watch.signals import Note, Noticed, Signal
    from dartsctl.workflows.watch.view import View

_WITHIN = 30.0
"""Seconds that channels get to take the messages; the rest waits for the next time."""


def send_once(
    request: WatchRequest, result: LookResult, silences: tuple[Silence, ...], *, deps: Deps
) -> list[str]:
    """Send what is new, and what has recovered. Return what there is to say.

    Where a watch runs, that one sends.
    """
    name = request.environment.name
    try:
        with watch_lock(deps.state, request.project, environment=name, now=deps.now()):
            return _send(request, result, silences, deps)
    except Refused as error:
        return [f"no alert is sent from here: {error.message}"]


def _send(
    request: WatchRequest, result: LookResult, silences: tuple[Silence, ...], deps: Deps
) -> list[str]:
    file = WatchState(deps.state, request.project)
    saved = file.load()
    channels = destinations_of(request.settings, request.environment, deps=deps).channels
    delivery = delivery_to(channels, request.environment, saved.outbox, deps=deps)
    known = Known()
    said = _Said()
    watcher = Watcher(
        [said],
        board=ViewBoard(request.environment.name, request.project, known),
        want_look=_no_more_looks,
        known=known,
        rules=_at_once(rules_of(request.settings)),
        clock=deps.now,
        state=resumed(saved.state, deps.now()),
        delivery=delivery,
        saver=Saver(file, saved.state, saved.outbox),
    )
    watcher.begin(saved.note)
    looked = Looked(result.problems, result.covers)
    for observation in (Silenced(silences), looked, looked):
        watcher.handle(Observed(observation, deps.now()))
        watcher.tick()
    _deliver(watcher, delivery, deps)
    watcher.close()
    return said.notes


@record(frozen=False)
class _Said:
    """An output that keeps what the sending has to say."""

    notes: list[str] = field(default_factory=list)

    def note(self, note: Note) -> None:
        self.notes.append(note.text)

    def noticed(self, noticed: Noticed) -> None:
        """Not shown: the look is."""

    def message(self, message: Message) -> None:
        """Not shown: the look is."""

    def view(self, view: View) -> None:
        """Not shown: the look is."""

    def close(self) -> None:
        """Nothing is open."""


def _no_more_looks(_reason: str) -> None:
    """Nothing: there was one look."""


def _at_once(rules: Rules) -> Rules:
    """Return the thresholds for a single look: nothing else will follow that could confirm it."""
    return replace(
        rules, open_after=0.0, understand_within=0.0, close_after=0.0, change_after=0.0, gather=0.0
    )


def _deliver(watcher: Watcher, delivery: Delivery, deps: Deps) -> None:
    """Send until nothing is due any more, or the time is over."""
    signals: queue.SimpleQueue[Signal] = queue.SimpleQueue()
    deadline = deps.monotonic() + _WITHIN
    while deps.monotonic() < deadline:
        watcher.end_turn(signals.put)
        if not delivery.is_sending:
            return
        try:
            watcher.handle(signals.get(timeout=1.0))
        except queue.Empty:
            continue
