"""The dashboard as an output of `watch`."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from dartsctl.edges.screen.dashboard import PAUSE, Dashboard
from dartsctl.edges.screen.stream import Event
from dartsctl.records import replace
from dartsctl.workflows.watch import event_text
from dartsctl.workflows.watch.overview import page_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from dartsctl.alerts.state import Message
    from dartsctl.edges.screen.output import Screen
    from dartsctl.edges.screen.page import Page
    from dartsctl.workflows.watch.signals import Note, Noticed
    from dartsctl.workflows.watch.view import View

_EVENTS_SHOWN = 8
_EVENTS_KEPT = 200
"""Events that are written when the dashboard is closed."""


class DashboardOutput:
    """An output that draws what is known, and what has happened last.

    `first` is shown until the first view comes.
    """

    def __init__(
        self,
        screen: Screen,
        first: View,
        *,
        clock: Callable[[], float],
        on_end: Callable[[], None],
        pause: float = PAUSE,
    ) -> None:
        self._screen = screen
        self._view = first
        self._clock = clock
        self._started = first.now
        self._events: deque[Event] = deque(maxlen=_EVENTS_KEPT)
        self._dashboard = Dashboard(screen, self._page, on_end=on_end, say=self._say, pause=pause)
        self._is_open = False

    def noticed(self, noticed: Noticed) -> None:
        if self._screen.verbose:
            self._add(event_text.noticed_event(noticed, self._started))

    def message(self, message: Message) -> None:
        if event_text.is_news(message) or self._screen.verbose:
            self._add(event_text.message_event(message, self._started))

    def note(self, note: Note) -> None:
        self._add(event_text.note_event(note, self._started))

    def view(self, view: View) -> None:
        self._view = view
        self._open()

    def close(self) -> None:
        """Restore the terminal, and write there what has happened."""
        self._dashboard.close([event for event in self._events if event.label != "noticed"])

    def _add(self, event: Event) -> None:
        self._events.append(event)
        self._open()

    def _open(self) -> None:
        """Take the terminal for the first thing that there is to show."""
        if not self._is_open:
            self._is_open = True
            self._dashboard.open()

    def _page(self) -> Page:
        """Return the page, for the drawing thread. A tuple of a deque is made in one piece."""
        events = tuple(self._events)[-_EVENTS_SHOWN:]
        view = replace(self._view, now=self._clock())
        return page_of(view, events, self._dashboard.glyphs)

    def _say(self, text: str) -> None:
        clock = event_text.clock(self._clock(), self._started)
        self._events.append(Event(clock, "", "", text))
