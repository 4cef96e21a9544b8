"""Problems, episodes and messages as JSON documents, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

from dartsctl.alerts.observations import Occasion
from dartsctl.alerts.problem import Kind, Problem, Severity, Subject
from dartsctl.alerts.state import Episode, Message, Phase
from dartsctl.errors import Advice

if TYPE_CHECKING:
    from dartsctl.text.strict_json import Cursor

Document = Mapping[str, object]


def problem_document(problem: Problem) -> Document:
    """Return a problem as a JSON document."""
    return {
        "subject": str(problem.subject),
        "cause": problem.cause,
        "sentence": problem.sentence,
        "command": problem.command,
        "is_advice": isinstance(problem.command, Advice),
        "severity": problem.severity,
        "evidence": list(problem.evidence),
        "since": problem.since,
        "affected": [str(subject) for subject in problem.affected],
        "data": dict(problem.data),
    }


def read_problem(cursor: Cursor) -> Problem:
    """Return the problem. Raises the cursor's error for anything else."""
    severity = cursor.at("severity")
    data = cursor.at("data")
    command = cursor.at("command").prose("")
    if cursor.at("is_advice").flag():
        command = Advice(command)
    return Problem(
        read_subject(cursor.at("subject")),
        cursor.at("cause").prose(),
        cursor.at("sentence").prose(),
        command,
        severity=_word(severity, get_args(Severity)),
        evidence=tuple(line.prose() for line in cursor.at("evidence").items()),
        since=optional_number(cursor.at("since")),
        affected=tuple(read_subject(item) for item in cursor.at("affected").items()),
        data={key: value.value for key, value in data.entries()},
    )


def episode_document(episode: Episode) -> Document:
    """Return an episode as a JSON document."""
    return {
        "id": episode.id,
        "problem": problem_document(episode.problem),
        "began": episode.began,
        "phase": episode.phase,
        "seen": episode.seen,
        "opened": episode.opened,
        "sent": episode.sent,
        "good_since": episode.good_since,
        "count": episode.count,
        "returns": episode.returns,
        "flaps": episode.flaps,
        "exits": list(episode.exits),
        "comes_back": episode.comes_back,
        "understood": episode.understood,
        "other_cause": episode.other_cause,
        "other_since": episode.other_since,
        "shown": episode.shown,
        "updated": episode.updated,
        "was_critical": episode.was_critical,
        "acknowledged": episode.acknowledged,
        "reminded": episode.reminded,
        "escalated": episode.escalated,
    }


def read_episode(cursor: Cursor) -> Episode:
    """Return the episode. Raises the cursor's error for anything else."""
    return Episode(
        cursor.at("id").text(),
        read_problem(cursor.at("problem")),
        cursor.at("began").number(),
        phase=_word(cursor.at("phase"), get_args(Phase)),
        seen=cursor.at("seen").number(),
        opened=optional_number(cursor.at("opened")),
        sent=optional_number(cursor.at("sent")),
        good_since=optional_number(cursor.at("good_since")),
        count=cursor.at("count").integer(),
        returns=cursor.at("returns").integer(),
        flaps=cursor.at("flaps").flag(),
        exits=tuple(when.number() for when in cursor.at("exits").items()),
        comes_back=cursor.at("comes_back").flag(),
        understood=cursor.at("understood").flag(),
        other_cause=cursor.at("other_cause").prose(""),
        other_since=optional_number(cursor.at("other_since")),
        shown=cursor.at("shown").prose(""),
        updated=cursor.at("updated").number(0.0),
        was_critical=cursor.at("was_critical").flag(),
        acknowledged=cursor.at("acknowledged").flag(),
        reminded=optional_number(cursor.at("reminded")),
        escalated=cursor.at("escalated").flag(),
    )


def message_document(message: Message) -> Document:
    """Return a message as a JSON document."""
    return {
        "occasion": message.occasion,
        "episode": episode_document(message.episode),
        "when": message.when,
        "second_channel": message.second_channel,
        "muted": message.muted,
        "note": message.note,
        "episodes": [episode_document(episode) for episode in message.episodes],
        "more": message.more,
    }


def read_message(cursor: Cursor) -> Message:
    """Return the message. Raises the cursor's error for anything else."""
    return Message(
        _word(cursor.at("occasion"), get_args(Occasion)),
        read_episode(cursor.at("episode")),
        cursor.at("when").number(),
        second_channel=cursor.at("second_channel").flag(),
        muted=cursor.at("muted").prose(""),
        note=cursor.at("note").prose(""),
        episodes=tuple(read_episode(item) for item in cursor.at("episodes").items()),
        more=cursor.at("more").integer(0),
    )


def read_subject(cursor: Cursor) -> Subject:
    """Return the subject that a text such as `port:5000/tcp` names."""
    return parse_subject(cursor.prose(), cursor)


def parse_subject(text: str, cursor: Cursor) -> Subject:
    """Return the subject that a text names. Raises the cursor's error for a text that is none."""
    kind, _, name = text.partition(":")
    if kind not in get_args(Kind):
        raise cursor.mistake("it names no subject")
    return Subject(kind, name)  # type: ignore[arg-type] # compared with the literals above


def optional_number(cursor: Cursor) -> float | None:
    """Return a number, or None for null."""
    if cursor.value is None:
        return None
    return cursor.number()


def _word(cursor: Cursor, words: tuple[Any, ...]) -> Any:
    """Return a text that must be one of `words`."""
    text = cursor.text()
    if text not in words:
        raise cursor.mistake("it is none of the known words")
    return text
