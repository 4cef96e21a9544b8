"""Many messages at once become one summary: no channel gets a storm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.state import Message, Storm
from dartsctl.records import replace

if TYPE_CHECKING:
    from dartsctl.alerts.draft import Draft
    from dartsctl.alerts.rules import Rules
    from dartsctl.alerts.state import Episode

MOST_WAITING = 50
"""Messages that a summary names; further ones are counted."""
_WAITS = "it waits for a summary"


def calm(draft: Draft) -> None:
    """Hold back the messages of a storm, and send the summary that is due."""
    count = sum(not message.muted for message in draft.messages)
    storm = draft.state.storm
    if not count and not storm.waiting:
        return
    if not storm.waiting and draft.now - storm.began >= draft.rules.storm_window:
        storm = Storm(began=draft.now, summed=storm.summed)
    if not storm.waiting and storm.sent + count <= draft.rules.storm:
        draft.state = replace(draft.state, storm=replace(storm, sent=storm.sent + count))
        return
    storm = _hold_back(draft, storm)
    if draft.now >= summary_due(storm, draft.rules) or _is_complete(draft, storm, count):
        storm = _sum_up(draft, storm)
    else:
        draft.hurry(summary_due(storm, draft.rules))
    draft.state = replace(draft.state, storm=storm)


def summary_due(storm: Storm, rules: Rules) -> float:
    """Return when those that wait are summed up: at once after a pause, else once a window."""
    soon = storm.since + rules.gather
    if storm.summed:
        return max(soon, storm.summed + rules.storm_window)
    return soon


def _is_complete(draft: Draft, storm: Storm, count: int) -> bool:
    """Whether one observation brought so many messages that nothing is gained by waiting."""
    is_first = draft.now - storm.summed >= draft.rules.storm_window
    return is_first and count > draft.rules.storm


def _hold_back(draft: Draft, storm: Storm) -> Storm:
    waiting, more = list(storm.waiting), storm.more
    since = storm.since
    if not waiting:
        since = draft.now
    for index, message in enumerate(draft.messages):
        if message.muted:
            continue
        draft.messages[index] = replace(message, muted=_WAITS)
        if len(waiting) < MOST_WAITING:
            waiting.append(message)
        else:
            more += 1
    return replace(storm, waiting=tuple(waiting), more=more, since=since)


def _sum_up(draft: Draft, storm: Storm) -> Storm:
    """Send one message about those that wait, each episode as it is now."""
    episodes: dict[str, Episode] = {}
    second_channel = False
    for message in storm.waiting:
        if draft.silence_of(message.episode.subject) is not None:
            _keep_for_later(draft, message)
            continue
        episodes[message.episode.id] = message.episode
        second_channel = second_channel or message.second_channel
    if episodes:
        listed = tuple(episodes.values())
        summary = Message(
            "summary",
            listed[0],
            draft.now,
            second_channel=second_channel,
            episodes=listed,
            more=storm.more,
        )
        draft.messages.append(summary)
    return Storm(began=draft.now, sent=draft.rules.storm, summed=draft.now)


def _keep_for_later(draft: Draft, message: Message) -> None:
    """Let an alert that was silenced meanwhile be sent when the silence ends."""
    episode = draft.episodes.get(message.episode.subject)
    if message.occasion == "opened" and episode is not None and episode.id == message.episode.id:
        draft.put(replace(episode, sent=None))
