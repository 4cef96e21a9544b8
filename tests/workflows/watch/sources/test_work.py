"""dartsctl's own verbs as observations."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from dartsctl.alerts.observations import WorkBegan, WorkEnded
from dartsctl.edges.state.project_lock import project_lock
from dartsctl.edges.state.project_work import ProjectWork
from dartsctl.records import replace
from dartsctl.workflows.watch.signals import LookWanted, Observed, Signal
from dartsctl.workflows.watch.sources.work import WorkSource, changes

UP = ProjectWork(7, 1, "up", ("app",), began=100.0, goes_on=True)
UP_DONE = replace(UP, goes_on=False, ended=110.0, succeeded=True)
UP_KILLED = replace(UP, goes_on=False)
DOWN = ProjectWork(8, 2, "down", (), began=200.0, goes_on=True)
DOWN_DONE = replace(DOWN, goes_on=False, ended=210.0, succeeded=True)

BEGAN_UP = WorkBegan("up", frozenset({"app"}))
BEGAN_DOWN = WorkBegan("down", frozenset())


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, UP, [BEGAN_UP]),
        (UP, UP, []),
        (UP, UP_DONE, [WorkEnded("up")]),
        (UP, UP_KILLED, [WorkEnded("up", succeeded=False)]),
        (UP_DONE, UP_DONE, []),
        (UP_DONE, DOWN, [BEGAN_DOWN]),
        (UP_DONE, DOWN_DONE, [BEGAN_DOWN, WorkEnded("down")]),
        (UP, DOWN, [WorkEnded("up", succeeded=False), BEGAN_DOWN]),
        (UP_KILLED, DOWN, [BEGAN_DOWN]),
    ],
    ids=[
        "begins", "goes on", "ends", "killed", "nothing new", "the next", "between two readings",
        "one after the other", "after a killed one",
    ],
)  # fmt: skip
def test_a_change_of_the_record_is_what_has_happened(
    before: ProjectWork | None, after: ProjectWork, expected: list[object]
) -> None:
    assert changes(before, after) == expected


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (None, [WorkEnded("", succeeded=False)]),
        (UP, [BEGAN_UP]),
        (DOWN_DONE, [WorkEnded("down")]),
        (UP_KILLED, [WorkEnded("up", succeeded=False)]),
    ],
    ids=["never any", "goes on", "done before", "killed before"],
)
def test_a_watch_that_starts_learns_what_goes_on_or_was_done_last(
    work: ProjectWork | None, expected: list[object]
) -> None:
    assert changes(None, work, is_first=True) == expected


def test_verbs_are_seen_while_they_work_and_a_look_follows(tmp_path: Path) -> None:
    signals: list[Signal] = []
    arrived = threading.Condition()
    stop = threading.Event()

    def emit(signal: Signal) -> None:
        with arrived:
            signals.append(signal)
            arrived.notify_all()

    def wait_for(count: int) -> None:
        with arrived:
            assert arrived.wait_for(lambda: len(signals) >= count, timeout=60)

    source = WorkSource(tmp_path, "demo", lambda: 5.0)
    thread = threading.Thread(target=source.run, args=(emit, stop))
    thread.start()
    try:
        wait_for(1)
        with project_lock(tmp_path, "demo", within=0, waiting=pytest.fail, verb="doctor --fix"):
            wait_for(2)
        wait_for(4)
    finally:
        stop.set()
        thread.join()
    assert signals == [
        Observed(WorkEnded("", succeeded=False), 5.0),
        Observed(WorkBegan("doctor --fix"), 5.0),
        Observed(WorkEnded("doctor --fix"), 5.0),
        LookWanted("doctor --fix has ended"),
    ]
