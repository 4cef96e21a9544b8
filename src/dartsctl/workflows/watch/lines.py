"""What happens as plain lines, or as JSON lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dartsctl.workflows.watch import event_text, json_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from dartsctl.alerts.state import Message
    from dartsctl.edges.screen.output import Screen
    from dartsctl.workflows.watch.signals import Note, Noticed
    from dartsctl.workflows.watch.view import View


class PlainLines:
    """An output that writes lines for people: in a pipe, in a file, in systemd's journal.

    `on_end` is called when nobody reads them any more. What was only noticed needs --verbose.
    """

    def __init__(self, screen: Screen, *, started: float, on_end: Callable[[], None]) -> None:
        self._screen = screen
        self._started = started
        self._stream = screen.stream(on_end)

    def noticed(self, noticed: Noticed) -> None:
        if self._screen.verbose:
            self._stream.event(event_text.noticed_event(noticed, self._started))

    def message(self, message: Message) -> None:
        if event_text.is_news(message) or self._screen.verbose:
            self._stream.event(event_text.message_event(message, self._started))

    def note(self, note: Note) -> None:
        if not self._screen.quiet or note.kind == "healed":
            self._stream.event(event_text.note_event(note, self._started))

    def view(self, view: View) -> None:
        """Lines tell only what happens."""

    def close(self) -> None:
        self._stream.close()


class JsonLines:
    """An output that writes everything as JSON lines, for programs."""

    def __init__(self, screen: Screen, *, on_end: Callable[[], None]) -> None:
        self._stream = screen.stream(on_end)
        self._last: dict[str, Any] = {}

    def noticed(self, noticed: Noticed) -> None:
        self._stream.document(json_lines.noticed_line(noticed))

    def message(self, message: Message) -> None:
        self._stream.document(json_lines.message_line(message))

    def note(self, note: Note) -> None:
        self._stream.document(json_lines.note_line(note))

    def view(self, view: View) -> None:
        """Write a view when more has changed than times and latencies."""
        document = json_lines.view_line(view)
        steady = json_lines.steady(document)
        if steady != self._last:
            self._last = steady
            self._stream.document(document)

    def close(self) -> None:
        self._stream.close()
