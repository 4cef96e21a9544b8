"""What the sources of `watch` put on the loop's queue, and what a source and an output are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, Protocol

from dartsctl.records import field, record

if TYPE_CHECKING:
    import threading

    from dartsctl.alerts.observations import Observation
    from dartsctl.alerts.state import Message
    from dartsctl.workflows.watch.view import PortView, ServiceView, View


@record
class Observed:
    """An observation for the episodes, at a time (Unix time by our clock)."""

    observation: Observation
    when: float


@record
class Noticed:
    """Something happened that is shown at once, before anybody knows what it means."""

    source: str
    """`events`, `process`, `log`, `request`."""
    service: str
    what: str
    """`its first process ended`, `died`."""
    when: float


@record
class LookWanted:
    """Ask for a full look (doctor's examination) as soon as possible; several become one."""

    reason: str


@record
class Seen:
    """A part of what the screen shows, as it is now. None: as it was."""

    engine: str | None = None
    services: tuple[ServiceView, ...] | None = None
    """Without latencies, which `Known` has."""
    ports: tuple[PortView, ...] | None = None
    work: str | None = None
    waiting: Mapping[str, int] | None = None
    """Messages that wait to be sent, by channel."""
    notes: tuple[str, ...] | None = None


@record
class Note:
    """Something that `watch` itself has done or met: for screen, JSON lines and nobody's alarm."""

    text: str
    when: float
    kind: Literal["note", "healed"] = "note"
    service: str = ""
    data: Mapping[str, object] = field(default_factory=dict)
    """Details for programs."""


@record
class Sent:
    """A channel has taken a message, or has not."""

    channel: str
    message: str
    """Its id."""
    problem: str = ""
    """Why it was not delivered; empty: it was."""


Signal = Observed | Noticed | LookWanted | Seen | Note | Sent
Emit = Callable[[Signal], None]
"""Puts a signal on the queue. Never blocks; a flood is summarised."""


class Source(Protocol):
    """A source of signals: one module each in workflows/watch/sources/, listed in its table."""

    name: str

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Watch until `stop` is set, in a thread of its own. Never raises; reconnects by itself."""


class Output(Protocol):
    """Where what happens is shown or sent: screen, JSON lines, channels, metrics, heartbeat."""

    def noticed(self, noticed: Noticed) -> None:
        """Show at once what a source has noticed."""

    def message(self, message: Message) -> None:
        """Show or send a message about an episode. Never blocks."""

    def note(self, note: Note) -> None:
        """Show what `watch` itself has done or met."""

    def view(self, view: View) -> None:
        """Show what is known now; called when something changed and about once a second."""

    def close(self) -> None:
        """End: restore the terminal, stop threads within a second."""
