"""Observations as JSON documents, and back: what a recording of a watch consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from dartsctl.alerts.documents import Document, problem_document, read_problem
from dartsctl.alerts.observations import (
    Acknowledged,
    ClockJumped,
    Exited,
    Looked,
    Silenced,
    Started,
    Tick,
    WorkBegan,
    WorkEnded,
)
from dartsctl.alerts.problem import Kind
from dartsctl.alerts.state_document import read_silence, silence_document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dartsctl.alerts.observations import Observation
    from dartsctl.text.strict_json import Cursor


def observation_document(observation: Observation) -> Document:
    """Return an observation as a JSON document."""
    document: dict[str, object]
    match observation:
        case Looked(problems, covers):
            listed = [problem_document(problem) for problem in problems]
            document = {"type": "looked", "problems": listed, "covers": sorted(covers)}
        case Exited():
            document = _exited_document(observation)
        case Started(service, container):
            document = {"type": "started", "service": service, "container": container}
        case WorkBegan(verb, services):
            document = {"type": "work-began", "verb": verb, "services": sorted(services)}
        case WorkEnded(verb, succeeded):
            document = {"type": "work-ended", "verb": verb, "succeeded": succeeded}
        case Silenced(silences):
            held = [silence_document(silence) for silence in silences]
            document = {"type": "silenced", "silences": held}
        case Acknowledged(episode):
            document = {"type": "acknowledged", "episode": episode}
        case ClockJumped(seconds):
            document = {"type": "clock-jumped", "seconds": seconds}
        case Tick():
            document = {"type": "tick"}
    return document


def read_observation(cursor: Cursor) -> Observation:
    """Return the observation. Raises the cursor's error for anything else."""
    read = _READERS.get(cursor.at("type").text())
    if read is None:
        raise cursor.at("type").mistake("it is no known observation")
    return read(cursor)


def _exited_document(exited: Exited) -> dict[str, object]:
    return {
        "type": "exited",
        "service": exited.service,
        "container": exited.container,
        "problem": problem_document(exited.problem),
        "planned": exited.planned,
        "comes_back": exited.comes_back,
    }


def _read_looked(cursor: Cursor) -> Looked:
    names = set(cursor.at("covers").texts())
    covers: frozenset[Kind] = frozenset(kind for kind in get_args(Kind) if kind in names)
    return Looked(tuple(read_problem(item) for item in cursor.at("problems").items()), covers)


def _read_exited(cursor: Cursor) -> Observation:
    return Exited(
        cursor.at("service").text(),
        cursor.at("container").text(),
        read_problem(cursor.at("problem")),
        planned=cursor.at("planned").flag(),
        comes_back=cursor.at("comes_back").flag(),
    )


def _read_started(cursor: Cursor) -> Observation:
    return Started(cursor.at("service").text(), cursor.at("container").text())


def _read_work_began(cursor: Cursor) -> Observation:
    return WorkBegan(cursor.at("verb").text(), frozenset(cursor.at("services").texts()))


def _read_work_ended(cursor: Cursor) -> Observation:
    return WorkEnded(cursor.at("verb").text(), succeeded=cursor.at("succeeded").flag())


def _read_silenced(cursor: Cursor) -> Observation:
    return Silenced(tuple(read_silence(item) for item in cursor.at("silences").items()))


def _read_acknowledged(cursor: Cursor) -> Observation:
    return Acknowledged(cursor.at("episode").text())


def _read_jump(cursor: Cursor) -> Observation:
    return ClockJumped(cursor.at("seconds").number())


_READERS: Mapping[str, Callable[[Cursor], Observation]] = {
    "looked": _read_looked,
    "exited": _read_exited,
    "started": _read_started,
    "work-began": _read_work_began,
    "work-ended": _read_work_ended,
    "silenced": _read_silenced,
    "acknowledged": _read_acknowledged,
    "clock-jumped": _read_jump,
    "tick": lambda _cursor: Tick(),
}
