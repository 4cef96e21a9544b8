"""The file of a watch: episodes and undelivered messages, whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dartsctl.alerts.notice import Notice
from dartsctl.alerts.observations import Silence, WorkBegan
from dartsctl.alerts.outbox import Outbox, Waiting
from dartsctl.alerts.problem import Problem, Subject
from dartsctl.alerts.rules import Rules
from dartsctl.alerts.state import State
from dartsctl.edges.state.watch_state import WatchState
from dartsctl.records import replace
from fakes.alerting import Alerting, a_problem
from tiny_disk import tiny_disk

PROJECT = "darts"
OUTBOX = Outbox(
    (
        Waiting(
            "notify json://hooks",
            "service:app@1",
            "opened",
            Notice(id="n1", kind="failure", title="app", body="a\nb \x00 \u2028", short="app"),
            queued=1.0,
            due=2.0,
        ),
    )
)


def a_state() -> State:
    """Return a state with something in every field."""
    watch = Alerting(Rules(open_after=0))
    details = {"port": 5000, "pids": [1, 2], "kinds": {"refused": 3}, "load": 0.5, "x": None}
    watch.look(
        Problem(
            Subject("service", "app"),
            "unhealthy",
            "app says \x1b[31m \x00 and é",
            evidence=("a line", "\udc80 not utf-8"),
            affected=(Subject("site"),),
            data=details,
        ),
        a_problem("old"),
    )
    watch.exit("db", comes_back=True)
    watch.exit("stopped", planned=True)
    watch.wait(10)
    watch.keep_looking(a_problem(), seconds=30)
    watch.look(*(a_problem(f"s{number}") for number in range(9)), covers=frozenset())
    watch.look(*(a_problem(f"t{number}") for number in range(4)), covers=frozenset())
    watch.silence(Silence(None, watch.now + 60, "night", "ann"), Silence(Subject("disk"), 1e10))
    watch.observe(WorkBegan("up", frozenset(("x",))))
    return replace(watch.state, due=0.0)


@pytest.fixture
def file(tmp_path: Path) -> WatchState:
    return WatchState(tmp_path, PROJECT)


def path_of(folder: Path) -> Path:
    return folder / "watch" / PROJECT / "state.json"


def test_what_was_saved_is_loaded_as_it_was(file: WatchState, tmp_path: Path) -> None:
    state = a_state()
    assert all((state.recent, state.storm.waiting, state.stopped, state.work, state.silences))
    assert file.save(state, OUTBOX) == ""
    saved = WatchState(tmp_path, PROJECT).load()
    assert saved.note == ""
    assert saved.state == state
    assert saved.outbox == OUTBOX
    assert path_of(tmp_path).stat().st_mode & 0o777 == 0o600
    assert path_of(tmp_path).parent.stat().st_mode & 0o777 == 0o700


def test_the_first_watch_begins_with_nothing_to_say(file: WatchState) -> None:
    saved = file.load()
    assert (saved.state, saved.outbox, saved.note) == (State(), Outbox(), "")


def test_each_project_has_its_own(tmp_path: Path) -> None:
    WatchState(tmp_path, "a/../b").save(a_state(), OUTBOX)
    assert WatchState(tmp_path, "b").load().state == State()
    assert WatchState(tmp_path, "a/../b").load().state != State()


GOOD = {"version": 1, "state": {"now": 1.0, "stamp": 1}, "outbox": []}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        '{"version": 2, "state": {}, "outbox": []}',
        '{"version": "1"}',
        '{"version": 1, "outbox": []}',
        '{"version": 1, "state": {"now": NaN, "stamp": 1}}',
        '{"version": 1, "state": {"now": 1e999, "stamp": 1}}',
        '{"version": 1, "state": {"now": 1, "stamp": 1, "episodes": [{"id": 7}]}}',
        '{"version": 1, "state": {"now": 1, "stamp": 1}, "outbox": [{"channel": 5}]}',
        '{"version": 1, "version": 1}',
        "[" * 100_000,
        '"\\ud800"',
    ],
)
def test_an_unusable_file_is_said_once_and_kept(
    text: str, file: WatchState, tmp_path: Path
) -> None:
    file.save(State(), Outbox())
    path_of(tmp_path).write_text(text)
    saved = file.load()
    assert saved.state == State()
    assert saved.note.startswith("begins without the alerts of the last watch: ")
    assert saved.note.endswith("the file is kept as state.json.1")
    assert path_of(tmp_path).with_name("state.json.1").read_text() == text
    assert file.load().note == ""


def test_kept_files_are_not_overwritten(file: WatchState, tmp_path: Path) -> None:
    for text in ("one", "two"):
        file.save(State(), Outbox())
        path_of(tmp_path).write_text(text)
        file.load()
    folder = path_of(tmp_path).parent
    assert (folder / "state.json.1").read_text() == "one"
    assert (folder / "state.json.2").read_text() == "two"


@pytest.mark.parametrize("kind", ["link", "folder", "pipe", "hard link"])
def test_a_planted_file_is_not_read(kind: str, file: WatchState, tmp_path: Path) -> None:
    file.save(State(), Outbox())
    path, other = path_of(tmp_path), tmp_path / "other"
    other.write_text(json.dumps(GOOD))
    path.unlink()
    if kind == "link":
        path.symlink_to(other)
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.hardlink_to(other)
    saved = file.load()
    assert "the file is kept as state.json.1" in saved.note
    assert file.save(a_state(), Outbox()) == ""
    assert json.loads(other.read_text()) == GOOD


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
def test_a_file_of_another_user_is_not_read(file: WatchState, tmp_path: Path) -> None:
    file.save(a_state(), Outbox())
    os.chown(path_of(tmp_path), 61002, 61002)
    saved = file.load()
    assert saved.state == State()
    assert "belongs to another user" in saved.note


def test_a_folder_that_cannot_be_used_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "watch").write_text("a file")
    file = WatchState(tmp_path, PROJECT)
    assert "is a file, not a folder" in file.load().note
    assert "is a file, not a folder" in file.save(State(), Outbox())
    assert file.save(State(), Outbox()) == ""
    assert file.fails


def test_a_full_disk_is_said_once_and_so_is_room(tmp_path: Path) -> None:
    with tiny_disk(tmp_path):
        file = WatchState(tmp_path, PROJECT)
        state = a_state()
        assert file.save(state, OUTBOX) == ""
        filler = tmp_path / "filler"
        with pytest.raises(OSError, match="No space"):
            filler.write_bytes(b"x" * (1 << 20))
        later = replace(state, stopped=frozenset(("later",)))
        note = file.save(later, OUTBOX)
        assert note.endswith(
            "No space left on device; the watch goes on, and a restart would repeat them"
        )
        assert file.save(later, OUTBOX) == ""
        assert file.load().state == later, "it goes on in memory"
        assert WatchState(tmp_path, PROJECT).load().state == state, "the old file is whole"
        filler.unlink()
        assert file.save(later, OUTBOX) == f"saves the alerts in {path_of(tmp_path)} again"
        assert WatchState(tmp_path, PROJECT).load().state == later
