"""When what is suspected becomes an alert, and under which id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.inhibition import roots_of
from dartsctl.alerts.returns import note_flapping
from dartsctl.records import replace

if TYPE_CHECKING:
    from dartsctl.alerts.draft import Draft
    from dartsctl.alerts.problem import Subject
    from dartsctl.alerts.rules import Rules
    from dartsctl.alerts.state import Episode


_TOGETHER = 10.0
"""Seconds in which a failure may bring down what depends on it."""


def opens_at(episode: Episode, rules: Rules) -> float:
    """Return when a pending episode opens.

    An exit waits for the look that knows its cause, and with a restart policy for the next exit. A
    problem that looks see opens with the look that confirms it; without one, after twice the time.
    """
    if not episode.exits:
        if episode.understood:
            return episode.seen + rules.open_after
        return episode.seen + 2 * rules.open_after
    if episode.understood and not episode.comes_back:
        return episode.seen
    return episode.seen + rules.understand_within


def open_due(draft: Draft) -> None:
    """Open what is due. What follows from an open root is dropped; from a suspected one, waits."""
    roots = roots_of(draft.episodes.values())
    _drop_followers(draft, roots)
    waiting: list[tuple[float, Episode]] = []
    dependents = _possible_dependents(draft)
    for subject, episode in draft.episodes.items():
        if episode.phase != "pending" or subject in roots:
            continue
        when = opens_at(episode, draft.rules)
        if subject in dependents:
            when += draft.rules.understand_within
        if draft.settles_at(subject) > draft.now:
            when = max(when, draft.settles_at(subject))
        waiting.append((when, episode))
    due = [episode for when, episode in waiting if when <= draft.now]
    if not due or _more_will_come(draft, waiting):
        return
    for episode in due:
        if episode.subject in draft.episodes:
            _open(draft, episode, roots)
    _drop_followers(draft, roots)


def _possible_dependents(draft: Draft) -> set[Subject]:
    """Return exits that may follow from a failure right before them, for all that is known yet.

    A dependent that comes back for a moment looks well to the next look, which then does not name
    it. Where many have ended there will be a summary, and nothing is gained by waiting.
    """
    others = [episode for episode in draft.episodes.values() if episode.phase != "closing"]
    unclear = [item for item in others if item.phase == "pending" and item.comes_back]
    if len(unclear) > draft.rules.storm:
        return set()
    dependents: set[Subject] = set()
    for episode in unclear:
        for other in others:
            lead = episode.began - other.began
            if other is not episode and not episode.understood and 0 <= lead <= _TOGETHER:
                dependents.add(episode.subject)
    return dependents


def _more_will_come(draft: Draft, waiting: list[tuple[float, Episode]]) -> bool:
    """Whether many alerts are about to open, and wait for each other to become one summary."""
    gather = draft.rules.gather
    soon = [when for when, _ in waiting if when <= draft.now + gather]
    until = min(soon) + gather
    return len(soon) > draft.rules.storm and draft.now < until and max(soon) > draft.now


def _drop_followers(draft: Draft, roots: dict[Subject, Subject]) -> None:
    for follower, root in roots.items():
        episode, cause = draft.episodes.get(follower), draft.episodes.get(root)
        if episode is None or cause is None or episode.phase != "pending":
            continue
        if cause.phase != "pending":
            del draft.episodes[follower]


def _open(draft: Draft, episode: Episode, roots: dict[Subject, Subject]) -> None:
    taken = _open_follower(draft, episode, roots)
    if taken is not None:
        _take_over(draft, episode, taken)
        return
    note = ""
    recovery = draft.recent.get(episode.subject)
    if recovery is not None and episode.seen - recovery.when < draft.rules.flap_within:
        del draft.recent[episode.subject]
        episode = _continue(episode, recovery.episode, owed=recovery.owed)
        episode, note = note_flapping(draft, episode)
        if not note:
            note = f"failure {episode.returns + 1} of this episode"
    episode = replace(episode, phase="open", opened=draft.now, understood=_is_known(episode))
    draft.put(draft.emit("opened", episode, note=note))


def _is_known(episode: Episode) -> bool:
    """Whether a look has named the cause; of what no exit has told, a look always has."""
    return episode.understood or not episode.exits


def _continue(episode: Episode, ended: Episode, *, owed: bool) -> Episode:
    """Return the episode as the continuation of one that has ended lately."""
    sent = None
    if owed:  # the channels still have it open
        sent = ended.sent
    return replace(
        episode,
        id=ended.id,
        began=ended.began,
        sent=sent,
        count=ended.count + episode.count,
        returns=ended.returns + 1,
        flaps=ended.flaps,
    )


def _open_follower(draft: Draft, episode: Episode, roots: dict[Subject, Subject]) -> Episode | None:
    """Return the oldest alert that follows from this problem."""
    oldest: Episode | None = None
    for follower, root in roots.items():
        open_episode = draft.episodes.get(follower)
        if root != episode.subject or open_episode is None or open_episode.opened is None:
            continue
        if oldest is None or open_episode.opened < (oldest.opened or 0.0):
            oldest = open_episode
    return oldest


def _take_over(draft: Draft, episode: Episode, taken: Episode) -> None:
    """Go on with a dependent's alert as the alert of its root."""
    del draft.episodes[taken.subject]
    episode = replace(
        taken,
        problem=episode.problem,
        began=min(taken.began, episode.began),
        phase="open",
        good_since=None,
        exits=episode.exits,
        comes_back=episode.comes_back,
        understood=_is_known(episode),
        other_cause="",
        other_since=None,
    )
    note = f"it is the root cause of {taken.subject}"
    draft.put(draft.emit("updated", episode, note=note))
