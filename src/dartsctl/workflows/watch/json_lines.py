"""What happens as JSON lines: docs/watch.schema.json is their schema, and part of the contract."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dartsctl.alerts.subjects import ALL
from dartsctl.text.phrases import local_time
from dartsctl.workflows.watch.event_text import command_label

if TYPE_CHECKING:
    from dartsctl.alerts.observations import Silence
    from dartsctl.alerts.problem import Subject
    from dartsctl.alerts.state import Episode, Message
    from dartsctl.workflows.watch.signals import Note, Noticed
    from dartsctl.workflows.watch.view import PortView, ServiceView, View

VERSION = 1
"""Changes only if a field changes its meaning or goes away."""


def message_line(message: Message) -> dict[str, Any]:
    """Return a message about an episode; its kind is the message's occasion."""
    document = _line(message.occasion, message.when)
    document |= episode_fields(message.episode)
    document |= {"second_channel": message.second_channel, "muted": message.muted}
    document["note"] = message.note
    if message.occasion == "summary":
        document["episodes"] = [episode_fields(episode) for episode in message.episodes]
        document["more"] = message.more
    if message.occasion == "recovered":
        ended = message.episode.good_since or message.when
        document["recovered"] = rfc3339(ended)
        document["lasted_seconds"] = round(ended - message.episode.began, 3)
    return document


def noticed_line(noticed: Noticed) -> dict[str, Any]:
    """Return what a source has noticed."""
    own = {"source": noticed.source, "service": noticed.service, "what": noticed.what}
    return _line("noticed", noticed.when) | own


def note_line(note: Note) -> dict[str, Any]:
    """Return what `watch` has done or met."""
    own = {"text": note.text, "service": note.service, "data": plain(note.data)}
    return _line(note.kind, note.when) | own


def view_line(view: View) -> dict[str, Any]:
    """Return what is known of the stack."""
    return _line("view", view.now) | {
        "environment": view.environment,
        "project": view.project,
        "engine": view.engine,
        "services": [_service(service) for service in view.services],
        "ports": [_port(port) for port in view.ports],
        "episodes": [row.id for row in view.episodes if row.phase != "pending"],
        "upstream_errors": dict(view.upstream_errors),
        "work": view.work,
        "waiting": dict(view.waiting),
        "notes": list(view.notes),
    }


def steady(view: Mapping[str, Any]) -> dict[str, Any]:
    """Return the line of a view without the fields that change all the time."""
    services = [service | {"latency_seconds": None} for service in view["services"]]
    return {**view, "time": "", "upstream_errors": {}, "services": services}


def episode_fields(episode: Episode) -> dict[str, Any]:
    """Return an episode for programs."""
    problem = episode.problem
    return {
        "episode": episode.id,
        "subject": _subject(episode.subject),
        "cause": problem.cause,
        "severity": problem.severity,
        "sentence": problem.sentence,
        "command": problem.command,
        "command_kind": command_label(problem.command),
        "evidence": list(problem.evidence),
        "affected": [_subject(subject) for subject in problem.affected],
        "data": plain(problem.data),
        "phase": episode.phase,
        "began": rfc3339(episode.began),
        "opened": _time_or_none(episode.opened),
        "count": episode.count,
        "acknowledged": episode.acknowledged,
    }


def silence_fields(silence: Silence) -> dict[str, Any]:
    """Return a silence for programs."""
    subject = ALL
    if silence.subject is not None:
        subject = str(silence.subject)
    return {
        "subject": subject,
        "until": local_time(silence.until),
        "reason": silence.reason,
        "by": silence.by,
    }


def rfc3339(moment: float) -> str:
    """Return a Unix time as `2026-11-26T13:02:11.250Z`."""
    milliseconds = round(moment * 1000)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000))
    return f"{whole}.{milliseconds % 1000:03d}Z"


def plain(value: object) -> Any:
    """Return a value as JSON knows it. Others than its own kinds become text."""
    match value:
        case Mapping():
            return {str(key): plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case set() | frozenset():
            return sorted(map(str, value))
        case float() if not math.isfinite(value):
            return None
        case str() | int() | float() | None:  # bool is an int
            return value
    return str(value)


def _line(kind: str, when: float) -> dict[str, Any]:
    return {"version": VERSION, "kind": kind, "time": rfc3339(when)}


def _time_or_none(moment: float | None) -> str | None:
    if moment is None:
        return None
    return rfc3339(moment)


def _subject(subject: Subject) -> dict[str, str]:
    return {"kind": subject.kind, "name": subject.name}


def _service(service: ServiceView) -> dict[str, Any]:
    return {
        "name": service.name,
        "state": service.state,
        "health": service.health,
        "restarts": service.restarts,
        "since": _time_or_none(service.since),
        "latency_seconds": next(reversed(service.latencies), None),
    }


def _port(port: PortView) -> dict[str, Any]:
    return {
        "port": port.port,
        "protocol": port.protocol,
        "service": port.service,
        "holder": port.holder,
        "is_stranger": port.is_stranger,
    }
