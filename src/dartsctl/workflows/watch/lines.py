"""What happens as plain lines, or as JSON lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dartsctl.alerts.state import Message
    from dartsctl.edges.screen.output import Screen
    from dartsctl.workflows.watch.signals import Note, Noticed
    from dartsctl.workflows.watch.view import View


@dataclass(frozen=True, slots=True)
class Lines:
    """An output that writes a line for everything that happens."""

    screen: Screen

    def noticed(self, noticed: Noticed) -> None:
        self.screen.note(f"{noticed.service}: {noticed.what}")

    def message(self, message: Message) -> None:
        problem = message.episode.problem
        self.screen.note(f"{message.occasion}: {problem.sentence}")

    def note(self, note: Note) -> None:
        self.screen.note(note.text)

    def view(self, view: View) -> None:
        """Lines tell only what happens."""

    def close(self) -> None:
        """Nothing is open."""
