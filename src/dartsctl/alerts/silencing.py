"""What silences have held back, and acknowledgements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.inhibition import roots_of
from dartsctl.records import replace

if TYPE_CHECKING:
    from dartsctl.alerts.draft import Draft
    from dartsctl.alerts.observations import Silence

MOST_SILENCES = 1000


def silence(draft: Draft, silences: tuple[Silence, ...]) -> None:
    """Let these silences hold, and no others."""
    draft.state = replace(draft.state, silences=silences[:MOST_SILENCES])
    draft.hurry(draft.now)


def acknowledge(draft: Draft, episode_id: str) -> None:
    """A person knows of an episode: no reminder and no second channel until it ends."""
    for episode in draft.episodes.values():
        if episode.id == episode_id and not episode.acknowledged:
            known = replace(episode, acknowledged=True)
            draft.put(known)
            if known.opened is not None:
                draft.emit("updated", known, note="acknowledged", muted="acknowledged")
            return


def catch_up(draft: Draft) -> None:
    """Send what silences have held back and is still true after their end."""
    held = [silence for silence in draft.state.silences if silence.until > draft.now]
    if len(held) < len(draft.state.silences):
        draft.state = replace(draft.state, silences=tuple(held))
    roots = roots_of(draft.episodes.values())
    for episode in list(draft.episodes.values()):
        if episode.phase != "open" or episode.sent is not None or episode.acknowledged:
            continue
        if episode.subject not in roots and draft.silence_of(episode.subject) is None:
            draft.put(draft.emit("opened", episode, note="it was silenced"))
    for subject, recovery in list(draft.recent.items()):
        if recovery.owed and draft.silence_of(subject) is None:
            draft.emit("recovered", recovery.episode)
            draft.recent[subject] = replace(recovery, owed=False)
