"""A state while one step changes it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dartsctl.alerts.inhibition import roots_of
from dartsctl.alerts.state import Message
from dartsctl.records import field, record, replace

if TYPE_CHECKING:
    from dartsctl.alerts.observations import Occasion, Silence
    from dartsctl.alerts.problem import Problem, Subject
    from dartsctl.alerts.rules import Rules
    from dartsctl.alerts.state import Episode, Recovery, State

MOST_EPISODES = 500
"""More than a stack can have. Further problems are seen again when there is room."""
MOST_RECENT = 200
MOST_FOLLOWED = 500


@record(frozen=False)
class Draft:
    """What a step changes: the rest of the state stays in `state`. `now` is Unix time."""

    state: State
    now: float
    rules: Rules
    episodes: dict[Subject, Episode]
    recent: dict[Subject, Recovery]
    followed: dict[Subject, float]
    due: float
    """When something happens by itself. Whoever changes an episode calls `hurry`."""
    messages: list[Message] = field(default_factory=list)

    def hurry(self, when: float) -> None:
        """Look at all episodes again at `when`."""
        self.due = min(self.due, when)

    def put(self, episode: Episode) -> None:
        """Keep an episode in place of the one of its subject."""
        self.episodes[episode.subject] = episode

    def new_id(self, subject: Subject) -> str:
        """Return an id that no episode of this state has had."""
        stamp = max(int(self.now), self.state.stamp + 1)
        self.state = replace(self.state, stamp=stamp)
        return f"{subject}@{stamp}"

    def silence_of(self, subject: Subject) -> Silence | None:
        """Return the silence that holds for a subject the longest."""
        latest: Silence | None = None
        for silence in self.state.silences:
            if silence.until <= self.now or not concerns(silence, subject):
                continue
            if latest is None or silence.until > latest.until:
                latest = silence
        return latest

    def follows(self, subject: Subject) -> bool:
        """Whether the trouble of a subject follows from that of another one."""
        return subject in roots_of(self.episodes.values())

    def settles_at(self, subject: Subject) -> float:
        """Return until when a dependent may need to get well after its root; 0 for any other."""
        followed = self.followed.get(subject)
        if followed is None:
            return 0.0
        return followed + self.rules.follow_for

    def emit(
        self, occasion: Occasion, episode: Episode, *, note: str = "", muted: str = ""
    ) -> Episode:
        """Add a message; return the episode, which knows whether the channels got its opening."""
        if not muted:
            muted = self._why_muted(occasion, episode)
        critical = episode.was_critical or episode.problem.severity == "critical"
        episode = replace(
            episode, shown=episode.problem.sentence, updated=self.now, was_critical=critical
        )
        if occasion == "opened" and not muted:
            episode = replace(episode, sent=self.now)
        message = Message(
            occasion,
            episode,
            self.now,
            second_channel=episode.escalated,
            muted=muted,
            note=note,
        )
        self.messages.append(message)
        return episode

    def _why_muted(self, occasion: Occasion, episode: Episode) -> str:
        if occasion != "opened" and episode.sent is None:
            return "its opening was silenced"
        silence = self.silence_of(episode.subject)
        if silence is not None:
            until = time.strftime("%Y-%m-%d %H:%M", time.localtime(silence.until))
            return f"silenced until {until}"
        return ""

    def forget_oldest(self) -> None:
        """Keep the memory of recoveries bounded; those that the channels await go last."""
        while len(self.recent) > MOST_RECENT:
            oldest = min(self.recent.values(), key=lambda recovery: (recovery.owed, recovery.when))
            del self.recent[oldest.episode.subject]


def concerns(silence: Silence, subject: Subject) -> bool:
    """Whether a silence is about a subject, its kind, or everything."""
    silenced = silence.subject
    if silenced is None or silenced == subject:
        return True
    return not silenced.name and silenced.kind == subject.kind


def draft_of(state: State, now: float, rules: Rules) -> Draft:
    """Return a draft that can be changed without changing `state`."""
    return Draft(
        state,
        now,
        rules,
        episodes=dict(state.episodes),
        recent=dict(state.recent),
        followed=dict(state.followed),
        due=state.due,
    )


def with_affected(episode: Episode, problem: Problem) -> Episode:
    """Return the episode with what follows from its problem according to the latest look."""
    if episode.problem.affected == problem.affected:
        return episode
    return replace(episode, problem=replace(episode.problem, affected=problem.affected))
