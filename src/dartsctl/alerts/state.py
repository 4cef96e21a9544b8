"""The state of `watch`: its episodes and what it knows of plans. Plain values, saved as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dartsctl.records import field, record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dartsctl.alerts.observations import Occasion, Silence
    from dartsctl.alerts.problem import Problem, Subject

Phase = Literal["pending", "open", "closing"]
SAME_CAUSE = "the cause is the same"
"""Why no channel gets an update that has only other words or evidence."""


@record
class Episode:
    """One trouble from its opening to its recovery. Times are Unix time, in seconds."""

    id: str
    """Stays the same over updates and restarts of `watch`: the subject and when it was seen."""
    problem: Problem
    began: float
    """The first failure."""
    phase: Phase = "pending"
    seen: float = 0.0
    """Since when it is pending."""
    opened: float | None = None
    """When it became an alert."""
    sent: float | None = None
    """When the channels got the alert; None while it was only silenced."""
    good_since: float | None = None
    """While closing: since when nothing is wrong."""
    count: int = 1
    """How often it has failed: exits of a crash loop, returns while flapping."""
    returns: int = 0
    """How often it was good in between."""
    flaps: bool = False
    """Whether a message has said that it flaps."""
    exits: tuple[float, ...] = ()
    """The latest exits that nobody had planned."""
    comes_back: bool = False
    """Whether the engine starts it again after such an exit."""
    understood: bool = False
    """Whether a look has named the cause."""
    other_cause: str = ""
    """What the latest looks say instead of the problem's cause."""
    other_since: float | None = None
    shown: str = ""
    """The sentence of the latest message."""
    updated: float = 0.0
    """When that was."""
    was_critical: bool = False
    """Whether a message has said that it is critical."""
    acknowledged: bool = False
    reminded: float | None = None
    """When the last reminder was sent."""
    escalated: bool = False
    """Whether the second channel was told."""

    @property
    def subject(self) -> Subject:
        return self.problem.subject


@record
class Recovery:
    """An episode that has ended lately: a failure soon after continues it."""

    episode: Episode
    when: float
    owed: bool = False
    """Whether the channels have yet to hear of it: a silence held."""


@record
class Work:
    """A dartsctl verb that changes the stack."""

    verb: str
    services: frozenset[str] = frozenset()
    """Empty: all."""
    ended: float | None = None
    """What happens right afterwards belongs to it."""


@record
class Storm:
    """How many messages the channels got lately, and which wait for a summary."""

    began: float = 0.0
    sent: int = 0
    """Messages since `began`."""
    waiting: tuple[Message, ...] = ()
    more: int = 0
    """Those that wait beyond the ones that are kept."""
    since: float = 0.0
    """When the first of them came."""
    summed: float = 0.0
    """When the latest summary was sent."""


@record
class State:
    """Everything that decides about alerts."""

    episodes: Mapping[Subject, Episode] = field(default_factory=dict)
    recent: Mapping[Subject, Recovery] = field(default_factory=dict)
    followed: Mapping[Subject, float] = field(default_factory=dict)
    """Dependents, and when a look last saw that their root is bad or stopped on purpose."""
    stopped: frozenset[str] = frozenset()
    """Services that were stopped on purpose and have not been started since."""
    work: Work | None = None
    silences: tuple[Silence, ...] = ()
    storm: Storm = field(default_factory=Storm)
    now: float = 0.0
    """The time of the latest observation."""
    due: float = 0.0
    """When something happens by itself."""
    stamp: int = 0
    """The number in the latest episode's id."""

    @property
    def verb(self) -> str:
        """The verb of dartsctl that changes the stack now; empty for none."""
        if self.work is None or self.work.ended is not None:
            return ""
        return self.work.verb


@record
class Message:
    """What goes to the channels, the screen and the JSON lines."""

    occasion: Occasion
    episode: Episode
    """Of a summary: the first of `episodes`."""
    when: float
    second_channel: bool = False
    """For the channels of `escalate` too."""
    muted: str = ""
    """Why no channel gets it: `silenced until 14:00`. Screen and JSON lines show it."""
    note: str = ""
    """What there is to say beside the problem: `flaps: 3 failures in 4 min`."""
    episodes: tuple[Episode, ...] = ()
    """Of a summary: those that it sums up, the recovered ones in the phase `closing`."""
    more: int = 0
    """Of a summary: how many there are beside `episodes`."""
