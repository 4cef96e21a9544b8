"""The whole state of the episodes as a JSON document, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.documents import (
    Document,
    episode_document,
    message_document,
    optional_number,
    parse_subject,
    read_episode,
    read_message,
    read_subject,
)
from dartsctl.alerts.draft import MOST_EPISODES, MOST_RECENT
from dartsctl.alerts.observations import Silence
from dartsctl.alerts.state import Recovery, State, Storm, Work

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dartsctl.alerts.problem import Subject
    from dartsctl.text.strict_json import Cursor


def state_document(state: State) -> Document:
    """Return the state as a JSON document. `due` is found out again."""
    work = None
    if state.work is not None:
        services = sorted(state.work.services)
        work = {"verb": state.work.verb, "services": services, "ended": state.work.ended}
    return {
        "episodes": [episode_document(episode) for episode in state.episodes.values()],
        "recent": [_recovery_document(recovery) for recovery in state.recent.values()],
        "followed": {str(subject): when for subject, when in state.followed.items()},
        "stopped": sorted(state.stopped),
        "work": work,
        "silences": [silence_document(silence) for silence in state.silences],
        "storm": _storm_document(state.storm),
        "now": state.now,
        "stamp": state.stamp,
    }


def read_state(cursor: Cursor) -> State:
    """Return the state. Raises the cursor's error for anything else."""
    cursor.present()
    episodes = [read_episode(item) for item in cursor.at("episodes").items()]
    recent = [_read_recovery(item) for item in cursor.at("recent").items()]
    _refuse_many(cursor, episodes, MOST_EPISODES)
    _refuse_many(cursor, recent, MOST_RECENT)
    return State(
        episodes={episode.subject: episode for episode in episodes},
        recent={recovery.episode.subject: recovery for recovery in recent},
        followed=_read_followed(cursor.at("followed")),
        stopped=frozenset(cursor.at("stopped").texts()),
        work=_read_work(cursor.at("work")),
        silences=tuple(read_silence(item) for item in cursor.at("silences").items()),
        storm=_read_storm(cursor.at("storm")),
        now=cursor.at("now").number(),
        stamp=cursor.at("stamp").integer(),
    )


def silence_document(silence: Silence) -> Document:
    """Return a silence as a JSON document; a subject of null is everything."""
    subject = None
    if silence.subject is not None:
        subject = str(silence.subject)
    return {
        "subject": subject,
        "until": silence.until,
        "reason": silence.reason,
        "by": silence.by,
    }


def read_silence(cursor: Cursor) -> Silence:
    """Return the silence. Raises the cursor's error for anything else."""
    subject = None
    if cursor.at("subject").value is not None:
        subject = read_subject(cursor.at("subject"))
    return Silence(
        subject,
        cursor.at("until").number(),
        reason=cursor.at("reason").prose(""),
        by=cursor.at("by").prose(""),
    )


def _recovery_document(recovery: Recovery) -> Document:
    return {
        "episode": episode_document(recovery.episode),
        "when": recovery.when,
        "owed": recovery.owed,
    }


def _read_recovery(cursor: Cursor) -> Recovery:
    return Recovery(
        read_episode(cursor.at("episode")),
        cursor.at("when").number(),
        owed=cursor.at("owed").flag(),
    )


def _read_work(cursor: Cursor) -> Work | None:
    if cursor.value is None:
        return None
    return Work(
        cursor.at("verb").text(),
        frozenset(cursor.at("services").texts()),
        ended=optional_number(cursor.at("ended")),
    )


def _storm_document(storm: Storm) -> Document:
    return {
        "began": storm.began,
        "sent": storm.sent,
        "waiting": [message_document(message) for message in storm.waiting],
        "more": storm.more,
        "since": storm.since,
        "summed": storm.summed,
    }


def _read_storm(cursor: Cursor) -> Storm:
    return Storm(
        began=cursor.at("began").number(),
        sent=cursor.at("sent").integer(),
        waiting=tuple(read_message(item) for item in cursor.at("waiting").items()),
        more=cursor.at("more").integer(),
        since=cursor.at("since").number(),
        summed=cursor.at("summed").number(),
    )


def _read_followed(cursor: Cursor) -> dict[Subject, float]:
    followed: dict[Subject, float] = {}
    for text, when in cursor.entries():
        followed[parse_subject(text, cursor)] = when.number()
    return followed


def _refuse_many(cursor: Cursor, values: Iterable[object], most: int) -> None:
    if len(list(values)) > most:
        raise cursor.mistake(f"more than {most} episodes")
