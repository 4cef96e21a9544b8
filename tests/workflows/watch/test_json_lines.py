"""Every line of `watch --json` matches the published schema, and the schema says all."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from dartsctl.alerts.state import Message
from dartsctl.errors import Advice
from dartsctl.records import replace
from dartsctl.workflows.watch.json_lines import (
    message_line,
    note_line,
    noticed_line,
    plain,
    rfc3339,
    view_line,
)
from dartsctl.workflows.watch.signals import Note, Noticed
from dartsctl.workflows.watch.view import View
from fakes.watch_views import CERTIFICATE, NOW, SQUATTER, calm, episode, incident
from repository import REPOSITORY
from schema import properties_of, violations

SCHEMA = json.loads((REPOSITORY / "docs/watch.schema.json").read_text())
CLOSING = episode(phase="closing", good_since=NOW - 15)
STORM = Message("summary", episode(), NOW, note="3 at once", episodes=(episode(), CLOSING), more=1)
LINES: dict[str, dict[str, Any]] = {
    "noticed": noticed_line(Noticed("process", "darts-app", "its first process ended", NOW)),
    "opened": message_line(Message("opened", episode(), NOW, second_channel=True)),
    "updated": message_line(Message("updated", episode(CERTIFICATE), NOW, note="flaps")),
    "recovered": message_line(Message("recovered", CLOSING, NOW)),
    "reminder": message_line(Message("reminder", episode(count=4), NOW, muted="silenced")),
    "summary": message_line(STORM),
    "test": message_line(Message("test", replace(episode(), opened=None), NOW)),
    "healed": note_line(Note("recreated darts-app", NOW, "healed", "darts-app", {"n": 1})),
    "note": note_line(Note("watching prod", NOW, data={"environment": "prod"})),
    "view": view_line(incident()),
}


def wrong(line: dict[str, Any]) -> list[str]:
    return violations(json.loads(json.dumps(line)), SCHEMA, SCHEMA)


def test_every_kind_of_the_schema_is_tested() -> None:
    assert list(LINES) == SCHEMA["properties"]["kind"]["enum"]
    assert [line["kind"] for line in LINES.values()] == list(LINES)


@pytest.mark.parametrize("kind", LINES)
def test_every_line_matches_the_schema(kind: str) -> None:
    assert wrong(LINES[kind]) == []


@pytest.mark.parametrize("view", [calm(), View("dev", "", NOW), replace(incident(), engine="")])
def test_every_view_matches_the_schema(view: View) -> None:
    assert wrong(view_line(view)) == []


@pytest.mark.parametrize("kind", LINES)
def test_the_schema_describes_every_field(kind: str) -> None:
    known = properties_of(SCHEMA)
    line = json.loads(json.dumps(LINES[kind]))
    line.pop("data", None)
    line.pop("upstream_errors", None)
    line.pop("waiting", None)
    assert fields_of(line) - known - {"port", "pid"} == set()


def fields_of(node: Any) -> set[str]:
    names: set[str] = set()
    if isinstance(node, dict):
        for name, value in node.items():
            names |= {name} | fields_of(value)
    elif isinstance(node, list):
        for value in node:
            names |= fields_of(value)
    return names


@pytest.mark.parametrize("kind", LINES)
def test_a_line_without_a_required_field_does_not_match(kind: str) -> None:
    """Otherwise the schema would promise nothing."""
    optional = {"recovered", "lasted_seconds", "episodes", "more"}
    if kind == "view":
        optional = set()
    for name in set(LINES[kind]) - optional:
        assert wrong({key: value for key, value in LINES[kind].items() if key != name}), name


def test_a_recovery_says_how_long_it_took() -> None:
    assert LINES["recovered"]["lasted_seconds"] == 117
    assert LINES["recovered"]["recovered"] == rfc3339(NOW - 15)
    assert LINES["recovered"]["episode"] == LINES["opened"]["episode"]


def test_a_program_can_tell_a_command_from_advice() -> None:
    advice = replace(SQUATTER, command=Advice("docker says why: correct the file"))
    assert LINES["opened"]["command_kind"] == "next"
    assert message_line(Message("opened", episode(advice), NOW))["command_kind"] == "hint"


def test_times_have_milliseconds_and_never_sixty_seconds() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339(59.9999) == "1970-01-01T00:01:00.000Z"
    assert rfc3339(1795701731.25) == "2026-11-26T14:02:11.250Z"


def test_data_of_any_kind_becomes_json() -> None:
    value = {1: (1, 2.5, math.nan), "set": {"b", "a"}, "other": SQUATTER.subject, "none": None}
    expected = {"1": [1, 2.5, None], "set": ["a", "b"], "other": "service:darts-app", "none": None}
    assert plain(value) == expected
    json.dumps(plain(value), allow_nan=False)
