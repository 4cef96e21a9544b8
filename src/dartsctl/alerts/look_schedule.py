"""When the looks are due. Plain values and times in monotonic seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dartsctl.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dartsctl.alerts.state import Episode


@record
class LookTimes:
    """In seconds. A light look reads lists; a full look is doctor's examination."""

    light: float = 15.0
    """Between two light looks."""
    full: float = 300.0
    """Between two full looks while nothing has changed."""
    attentive: float = 4.0
    """Between two full looks while episodes open or close, and at their beginning."""
    patient: float = 30.0
    """The same while episodes have been open for long."""
    new: float = 600.0
    """For so long an open episode is looked at often."""
    shortest: float = 2.0
    """Between the beginnings of two full looks, whatever happens."""
    deadline: float = 30.0
    """For one full look. A later result counts all the same, if it comes."""
    abandon: float = 300.0
    """After so long another full look begins beside one that hangs."""
    jitter: float = 0.1
    """The part by which a pause may be shorter, so that watches do not march in step."""


Attention = Literal["none", "low", "high"]
"""How often full looks are: as usual, often, very often."""


def attention_for(episodes: Iterable[Episode], now: float, new: float) -> Attention:
    """Return how closely to look while there are these episodes. `now` is Unix time."""
    attention: Attention = "none"
    for episode in episodes:
        if episode.phase != "open" or episode.opened is None or now - episode.opened < new:
            return "high"
        attention = "low"
    return attention


@record(frozen=False)
class LookSchedule:
    """Decides when the next light and the next full look are due.

    `random` returns a number between 0 and 1. The first full look is due at once.
    """

    times: LookTimes
    random: Callable[[], float]
    attention: Attention = "none"
    wanted: tuple[str, ...] = ()
    """Why a full look is wanted; several reasons become one look."""
    _full_began: float | None = None
    _light_began: float | None = None
    _not_before: float = 0.0
    _shift: float = 0.0

    def full_due(self) -> float:
        """Return when the next full look is due."""
        if self._full_began is None:
            return 0.0
        pause = self._stretched(self._usual_pause())
        if self.wanted:
            pause = 0.0
        due = self._full_began + max(pause, self.times.shortest)
        return max(due, self._not_before)

    def _usual_pause(self) -> float:
        match self.attention:
            case "high":
                return self.times.attentive
            case "low":
                return min(self.times.patient, self.times.full)
        return self.times.full

    def light_due(self) -> float:
        """Return when the next light look is due."""
        if self._light_began is None:
            return 0.0
        return self._light_began + self._stretched(self.times.light)

    def want(self, reason: str) -> None:
        """Let the next full look be as soon as the pauses allow."""
        if reason not in self.wanted:
            self.wanted += (reason,)

    def full_begins(self, now: float) -> None:
        """Say that a full look begins: what was wanted until now is answered by it."""
        self.wanted = ()
        self._full_began = now
        self._shift = self.random()

    def full_ended(self, now: float, pause: float) -> None:
        """Say that it has ended, and for how long the site's own limits want no more requests."""
        self._not_before = now + min(pause, self.times.full)

    def light_begins(self, now: float) -> None:
        """Say that a light look begins."""
        self._light_began = now
        self._shift = self.random()

    def _stretched(self, seconds: float) -> float:
        return seconds * (1 - self.times.jitter * self._shift)
