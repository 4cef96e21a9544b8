"""The state of `watch`: its episodes and what it knows of plans. Plain values, saved as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from dartsctl.alerts.observations import Occasion, Silence
    from dartsctl.alerts.problem import Problem, Subject

Phase = Literal["pending", "open", "closing"]


@dataclass(frozen=True, slots=True)
class Episode:
    """One trouble from its opening to its recovery. Times are Unix time, in seconds."""

    id: str
    """Stays the same over updates and restarts of `watch`: the subject and the first failure."""
    problem: Problem
    began: float
    """The first failure."""
    phase: Phase = "pending"
    opened: float | None = None
    """When the alert was sent."""
    good_since: float | None = None
    """While closing: since when nothing is wrong."""
    count: int = 1
    """How often it has failed: exits of a crash loop, returns while flapping."""
    acknowledged: bool = False
    reminded: float | None = None
    """When the last reminder was sent."""
    escalated: bool = False
    """Whether the second channel was told."""

    @property
    def subject(self) -> Subject:
        return self.problem.subject


@dataclass(frozen=True, slots=True)
class State:
    """Everything that decides about alerts."""

    episodes: Mapping[Subject, Episode] = field(default_factory=dict)
    stopped: frozenset[str] = frozenset()
    """Services that were stopped on purpose and have not been started since."""
    work: str = ""
    """The verb of dartsctl that changes the stack now."""
    silences: tuple[Silence, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """What goes to the channels, the screen and the JSON lines."""

    occasion: Occasion
    episode: Episode
    when: float
    second_channel: bool = False
    """For the channels of `escalate` too."""
    muted: str = ""
    """Why no channel gets it: `silenced until 14:00`. Screen and JSON lines show it."""
