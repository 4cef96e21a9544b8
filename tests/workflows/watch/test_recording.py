"""A recording says everything that the episodes depend on, and can be replayed."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.alerts.observations import (
    Acknowledged,
    ClockJumped,
    Exited,
    Looked,
    Observation,
    Silence,
    Silenced,
    Started,
    Tick,
    WorkBegan,
    WorkEnded,
)
from dartsctl.alerts.problem import Problem, Subject
from dartsctl.alerts.rules import Rules
from dartsctl.edges.state.recording_file import RecordingFile
from dartsctl.errors import DartsctlError, Refused
from dartsctl.records import replace
from dartsctl.workflows.watch.recording import Recorder, read_recording
from dartsctl.workflows.watch.signals import LookWanted, Note, Noticed, Observed, Seen, Sent, Signal
from fakes.alerting import KINDS, START, a_problem, service
from fakes.replaying import Replayed, replayed

PROBLEM = Problem(
    service("app"),
    "unhealthy",
    "app is \x1b[31m\x00 é",
    "dartsctl prod up",
    severity="warning",
    evidence=("a", "b"),
    since=1.5,
    affected=(Subject("site"), Subject("port", "5000/tcp")),
    data={"port": 5000, "kinds": {"refused": 1}, "names": ["a"]},
)
OBSERVATIONS: list[Observation] = [
    Looked((PROBLEM, a_problem("db")), KINDS),
    Looked((), frozenset()),
    Exited("app", "app-1", PROBLEM, planned=True),
    Exited("app", "app-1", PROBLEM, comes_back=True),
    Started("app", "app-1"),
    WorkBegan("up", frozenset(("app", "db"))),
    WorkEnded("up", succeeded=False),
    Silenced((Silence(None, 5.0, "why", "ann"), Silence(service("app"), 6.0))),
    Acknowledged("service:app@1"),
    ClockJumped(-3.5),
    Tick(),
]
OTHERS: list[Signal] = [
    Noticed("events", "app", "died", START),
    LookWanted("app died"),
    Note("channel takes messages again", START),
]


@pytest.mark.parametrize("observation", OBSERVATIONS, ids=lambda item: type(item).__name__)
def test_every_observation_is_read_as_it_was(observation: Observation) -> None:
    check(Observed(observation, START - 0.5))


@pytest.mark.parametrize("signal", OTHERS, ids=lambda item: type(item).__name__)
def test_every_other_signal_is_read_as_it_was(signal: Signal) -> None:
    check(signal)


def check(signal: Signal) -> None:
    lines: list[str] = []
    Recorder(lines.append).record(signal, START)
    assert list(read_recording(lines, "recording")) == [(START, signal)]


def test_what_the_screen_shows_and_channels_report_is_not_recorded() -> None:
    lines: list[str] = []
    recorder = Recorder(lines.append)
    recorder.record(Seen(), START)
    recorder.record(Sent("notify a", "1"), START)
    assert lines == []


@pytest.mark.parametrize(
    "line", ["{", "[]", "{}", '{"at": "x"}', '{"at": 1, "observed": {"type": "x"}, "when": 1}']
)
def test_a_line_that_is_no_signal_is_an_error(line: str) -> None:
    with pytest.raises(DartsctlError, match="recording"):
        list(read_recording([line], "recording"))


def an_outage() -> list[tuple[float, Signal]]:
    """Return ten minutes: a death, a jump of the clock, and the recovery."""
    signals: list[tuple[float, Signal]] = []
    now = START
    dead = Looked((a_problem("app", "app-exited"),), KINDS)
    signals.append((now, Noticed("events", "app", "died", now)))
    signals.append((now, Observed(Exited("app", "app-1", a_problem("app", "app-exited")), now)))
    for number in range(40):
        now += 15
        if number == 20:
            now += 3600
            signals.append((now, Observed(ClockJumped(3600.0), now)))
        look = dead
        if number > 30:
            look = Looked((), KINDS)
        signals.append((now, Observed(look, now)))
    return signals


def test_a_recording_that_was_replayed_gives_the_same_recording_and_messages() -> None:
    first = replayed(an_outage())
    assert first.events == ["noticed died", "opened app", "recovered app"]
    again = replayed(list(read_recording(first.recording, "recording")))
    assert again.messages == first.messages
    assert again.recording == first.recording


def test_a_jump_of_the_clock_that_the_watch_meets_itself_is_recorded() -> None:
    jumps = iter([0.0, 0.0, 500.0])
    lines = Replayed(jumped=lambda: next(jumps, 0.0)).run(an_outage()[:3]).recording
    assert sum('"clock-jumped"' in line for line in lines) == 1


def test_a_restart_at_any_point_of_a_recording_gives_the_same_messages() -> None:
    signals = an_outage()
    through = replayed(signals)
    for point in range(0, len(signals), 7):
        halves = Replayed()
        halves.run(signals[:point])
        halves.restart()
        halves.run(signals[point:])
        halves.finish()
        assert halves.messages == through.messages, point


def test_other_thresholds_can_be_tried_with_a_recording() -> None:
    strict = replayed(an_outage(), rules=replace(Rules(), remind=60.0))
    assert "reminder app" in strict.events


# --- the file -----------------------------------------------------------------------------------


def test_a_recording_is_a_new_private_file(tmp_path: Path) -> None:
    path = tmp_path / "watch.jsonl"
    file = RecordingFile(path)
    file.add("{}")
    file.add("{}")
    file.close()
    assert path.read_text() == "{}\n{}\n"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(Refused, match="exists"):
        RecordingFile(path)


def test_a_recording_in_a_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DartsctlError, match="cannot create"):
        RecordingFile(tmp_path / "missing" / "watch.jsonl")
