"""Time: a clock that was set, a pause in which nobody looked, and what is due next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.opening import opens_at
from dartsctl.alerts.reminders import NEVER, next_reminder
from dartsctl.alerts.returns import close_after
from dartsctl.alerts.storm import summary_due
from dartsctl.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.alerts.draft import Draft
    from dartsctl.alerts.rules import Rules
    from dartsctl.alerts.state import Episode, Message, State


_TRY_AGAIN = 0.5
"""Seconds."""


def shift(state: State, seconds: float) -> State:
    """Return the state after the clock was set forward by `seconds`."""
    if not state.now:
        return state
    storm = state.storm
    work = state.work
    if work is not None and work.ended is not None:
        work = replace(work, ended=work.ended + seconds)
    episodes = {key: _shift(episode, seconds) for key, episode in state.episodes.items()}
    recent = {
        key: replace(item, when=item.when + seconds, episode=_shift(item.episode, seconds))
        for key, item in state.recent.items()
    }
    return replace(
        state,
        episodes=episodes,
        recent=recent,
        followed={key: when + seconds for key, when in state.followed.items()},
        work=work,
        silences=tuple(replace(item, until=item.until + seconds) for item in state.silences),
        storm=replace(
            storm,
            began=storm.began + seconds,
            since=storm.since + seconds,
            summed=storm.summed and storm.summed + seconds,
            waiting=tuple(_shift_message(message, seconds) for message in storm.waiting),
        ),
        now=state.now + seconds,
        due=0.0,
    )


def _shift(episode: Episode, seconds: float) -> Episode:
    def moved(when: float | None) -> float | None:
        if when is None:
            return None
        return when + seconds

    return replace(
        episode,
        began=episode.began + seconds,
        seen=episode.seen + seconds,
        updated=episode.updated + seconds,
        opened=moved(episode.opened),
        sent=moved(episode.sent),
        good_since=moved(episode.good_since),
        other_since=moved(episode.other_since),
        reminded=moved(episode.reminded),
        exits=tuple(when + seconds for when in episode.exits),
    )


def _shift_message(message: Message, seconds: float) -> Message:
    return replace(message, when=message.when + seconds, episode=_shift(message.episode, seconds))


def resume(draft: Draft) -> None:
    """Begin again with what was only suspected, after a time in which nobody looked.

    An exit has been seen, and stays.
    """
    for subject, episode in list(draft.episodes.items()):
        if episode.phase == "pending" and not episode.exits:
            del draft.episodes[subject]
        elif episode.phase == "closing":
            draft.put(replace(episode, good_since=draft.now))
        if episode.other_since is not None:
            draft.put(replace(draft.episodes[subject], other_cause="", other_since=None))
    draft.hurry(draft.now)


def forget(draft: Draft) -> None:
    """Forget recoveries that nothing continues any more, and dependents that had their time."""
    for subject, recovery in list(draft.recent.items()):
        if not recovery.owed and draft.now - recovery.when > draft.rules.flap_within:
            del draft.recent[subject]
    for subject in list(draft.followed):
        if draft.settles_at(subject) <= draft.now:
            del draft.followed[subject]


def next_due(draft: Draft) -> float:
    """Return when something happens by itself; what waits for something else is tried again."""
    times = list(_times(draft))
    due = min((when for when in times if when > draft.now), default=NEVER)
    if min(times, default=due) <= draft.now:
        due = min(due, draft.now + _TRY_AGAIN)
    return due


def _times(draft: Draft) -> Iterator[float]:
    rules = draft.rules
    for episode in draft.episodes.values():
        if episode.phase == "pending":
            when = opens_at(episode, rules)
            yield when
            yield when + rules.gather
        else:
            yield next_reminder(episode, rules)
    for silence in draft.state.silences:
        yield silence.until
    for recovery in draft.recent.values():
        yield recovery.when + rules.flap_within
    if draft.state.storm.waiting:
        yield summary_due(draft.state.storm, rules)


def look_due(state: State, rules: Rules) -> float:
    """Return when a look would open or close an episode; infinity for never."""
    due = NEVER
    for episode in state.episodes.values():
        if episode.phase == "pending" and not episode.exits:
            due = min(due, episode.seen + rules.open_after)
        elif episode.phase == "closing" and episode.good_since is not None:
            due = min(due, episode.good_since + close_after(episode, rules))
    return due
