"""Reminders of what stays open, and the second channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.inhibition import roots_of
from dartsctl.records import replace
from dartsctl.text.phrases import duration

if TYPE_CHECKING:
    from dartsctl.alerts.draft import Draft
    from dartsctl.alerts.rules import Rules
    from dartsctl.alerts.state import Episode

NEVER = float("inf")


def remind(draft: Draft) -> None:
    """Remind of open episodes that nobody has acknowledged."""
    roots = roots_of(draft.episodes.values())
    for episode in list(draft.episodes.values()):
        if episode.subject in roots or draft.silence_of(episode.subject) is not None:
            continue
        if next_reminder(episode, draft.rules) <= draft.now:
            _remind(draft, episode)


def next_reminder(episode: Episode, rules: Rules) -> float:
    """Return when an episode is due for a reminder or the second channel."""
    sent = episode.sent
    if sent is None or episode.phase != "open" or episode.acknowledged:
        return NEVER
    when = NEVER
    if rules.remind > 0:
        when = max(sent, episode.reminded or 0.0) + rules.remind
    if rules.escalate_after > 0 and not episode.escalated:
        when = min(when, sent + rules.escalate_after)
    return when


def _remind(draft: Draft, episode: Episode) -> None:
    sent = episode.sent or draft.now
    escalate_after = draft.rules.escalate_after
    if escalate_after > 0 and draft.now - sent >= escalate_after:
        episode = replace(episode, escalated=True)
    episode = replace(episode, reminded=draft.now)
    note = f"open for {duration(draft.now - (episode.opened or sent))}"
    draft.put(draft.emit("reminder", episode, note=note))
