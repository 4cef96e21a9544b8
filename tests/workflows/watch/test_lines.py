"""Which lines are written, and when `watch` ends because nobody reads them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dartsctl.alerts.state import SAME_CAUSE, Message
from dartsctl.edges.screen.output import Screen
from dartsctl.records import replace
from dartsctl.workflows.watch.lines import JsonLines, PlainLines
from dartsctl.workflows.watch.signals import Note, Noticed, Output
from dartsctl.workflows.watch.view import View
from fakes.watch_views import NOW, calm, episode, incident, service

NOTICED = Noticed("events", "darts-app", "died", NOW)
HEALED = Note("recreated darts-app", NOW, "healed")


def everything(output: Output) -> None:
    output.note(Note("watching prod", NOW))
    output.view(calm())
    output.noticed(NOTICED)
    output.message(Message("opened", episode(), NOW))
    output.note(HEALED)
    output.close()


def plain(capfd: pytest.CaptureFixture[str], **options: Any) -> list[str]:
    everything(PlainLines(Screen(**options), started=NOW, on_end=lambda: None))
    lines = capfd.readouterr().out.splitlines()
    return [line.split(" ", 2)[1] for line in lines if not line.startswith("  ")]


def test_what_was_only_noticed_needs_verbose(capfd: pytest.CaptureFixture[str]) -> None:
    assert plain(capfd) == ["watching", "ALERT", "HEALED"]
    assert plain(capfd, verbose=True) == ["watching", "noticed", "ALERT", "HEALED"]
    assert plain(capfd, quiet=True) == ["ALERT", "HEALED"]


def test_other_words_for_the_same_cause_are_no_news(capfd: pytest.CaptureFixture[str]) -> None:
    same = Message("updated", episode(), NOW, muted=SAME_CAUSE)
    silenced = Message("updated", episode(), NOW, muted="silenced until 15:00")
    for verbose, count in ((False, 1), (True, 2)):
        output = PlainLines(Screen(verbose=verbose), started=NOW, on_end=lambda: None)
        output.message(same)
        output.message(silenced)
        output.close()
        assert capfd.readouterr().out.count(" UPDATE ") == count


def written(capfd: pytest.CaptureFixture[str], *views: View) -> list[dict[str, Any]]:
    output = JsonLines(Screen(as_json=True), on_end=lambda: None)
    for view in views:
        output.view(view)
    output.close()
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def test_json_lines_have_everything(capfd: pytest.CaptureFixture[str]) -> None:
    everything(JsonLines(Screen(as_json=True), on_end=lambda: None))
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["kind"] for line in lines] == ["note", "view", "noticed", "opened", "healed"]


def test_a_view_is_written_when_more_than_numbers_has_changed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    first = calm()
    later = replace(first, now=NOW + 1, upstream_errors={"darts-app": 3})
    slower = replace(later, services=(service("nginx", latencies=(1.0,)), *first.services[1:]))
    assert len(written(capfd, first, later, slower, first)) == 1
    unhealthy = replace(first, services=(service("nginx", health="unhealthy"),))
    lines = written(capfd, first, unhealthy, incident(), first)
    assert len(lines) == 4
    assert lines[1]["services"][0]["health"] == "unhealthy"
