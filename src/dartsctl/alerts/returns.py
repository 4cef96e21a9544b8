"""A problem that comes back: the closing threshold grows, and one message says that it flaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.records import replace
from dartsctl.text.phrases import duration

if TYPE_CHECKING:
    from dartsctl.alerts.draft import Draft
    from dartsctl.alerts.rules import Rules
    from dartsctl.alerts.state import Episode


def close_after(episode: Episode, rules: Rules) -> float:
    """Return for how many seconds nothing must be wrong until this episode has recovered."""
    seconds = rules.close_after * (1 << min(episode.returns, 20))
    return min(seconds, max(rules.longest_close, rules.close_after))


def fail_again(draft: Draft, episode: Episode) -> Episode:
    """Return an open episode that fails again. It counts if it was good for a while."""
    good_since = episode.good_since
    episode = replace(episode, phase="open", good_since=None)
    if good_since is None or draft.now - good_since < draft.rules.close_after / 2:
        return episode
    return replace(episode, count=episode.count + 1, returns=episode.returns + 1)


def note_flapping(draft: Draft, episode: Episode) -> tuple[Episode, str]:
    """Return the episode and what a message says of its returns; empty if that was said."""
    if episode.flaps or episode.returns + 1 < draft.rules.flaps:
        return episode, ""
    good = duration(close_after(episode, draft.rules))
    span = duration(max(draft.now - episode.began, 1.0))
    note = (
        f"it flaps: {episode.returns + 1} failures within {span}; "
        f"it has recovered when nothing is wrong for {good}"
    )
    return replace(episode, flaps=True), note
