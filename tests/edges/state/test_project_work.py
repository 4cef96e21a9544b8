"""What a dartsctl does to a project: real processes, real locks, read without taking the lock."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dartsctl.edges.state.project_lock import project_lock
from dartsctl.edges.state.project_work import project_work, stamp
from two_users import ANN, NOBODY, as_user, needs_root, public_folder, start_as

HOLDER = """
import sys, time
from pathlib import Path
from dartsctl.edges.state.project_lock import project_lock
with project_lock(
    Path(sys.argv[1]), "demo", within=0, waiting=lambda _: None, verb="up", services=("a", "b")
):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock of `demo`."""
    argv = [sys.executable, "-c", HOLDER, str(tmp_path)]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def record(tmp_path: Path) -> Path:
    return tmp_path / "projects" / "demo.lock"


def test_without_a_lock_file_nothing_is_known(tmp_path: Path) -> None:
    assert project_work(tmp_path, "demo") is None
    assert stamp(tmp_path, "demo") == ()


def test_what_goes_on_is_read_while_another_process_holds_the_lock(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    work = project_work(tmp_path, "demo")
    assert work is not None
    assert (work.pid, work.verb, work.services) == (holder.pid, "up", ("a", "b"))
    assert (work.goes_on, work.ended) == (True, None)


def test_reading_never_takes_the_lock(tmp_path: Path) -> None:
    with project_lock(tmp_path, "demo", within=0, waiting=pytest.fail, verb="up"):
        pass
    descriptor = os.open(record(tmp_path), os.O_RDWR)
    try:
        project_work(tmp_path, "demo")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert project_work(tmp_path, "demo") is not None, "it would wait for us"
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_verb_ends_by_itself(
    tmp_path: Path, holder: subprocess.Popen[str], number: signal.Signals
) -> None:
    holder.send_signal(number)
    holder.wait()
    work = project_work(tmp_path, "demo")
    assert work is not None
    assert (work.verb, work.goes_on, work.ended) == ("up", False, None)


@pytest.mark.parametrize("succeeded", [True, False])
def test_the_last_work_stays_readable_with_how_it_ended(tmp_path: Path, succeeded: bool) -> None:
    with project_lock(tmp_path, "demo", within=0, waiting=pytest.fail, verb="down") as result:
        result.succeeded = succeeded
    work = project_work(tmp_path, "demo")
    assert work is not None
    assert (work.verb, work.goes_on, work.succeeded) == ("down", False, succeeded)
    assert work.ended is not None
    assert work.ended >= work.began


def test_more_services_than_a_record_has_room_for_are_all(tmp_path: Path) -> None:
    names = tuple(f"s{number}" for number in range(501))
    with project_lock(tmp_path, "demo", within=0, waiting=pytest.fail, verb="up", services=names):
        work = project_work(tmp_path, "demo")
    assert work is not None
    assert work.services == ()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_work_that_ends_with_an_exception_has_failed(
    tmp_path: Path, error: type[BaseException]
) -> None:
    with (
        pytest.raises(error),
        project_lock(tmp_path, "demo", within=0, waiting=pytest.fail, verb="restart"),
    ):
        raise error
    work = project_work(tmp_path, "demo")
    assert work is not None
    assert (work.ended is not None, work.succeeded) == (True, False)


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document | {"pid": os.getpid()},
        lambda document: document | {"birth": document["birth"] + 1},
        lambda document: document | {"pid": 1},
    ],
    ids=["another process", "a pid that was used again", "the first process"],
)
def test_a_record_that_the_kernel_contradicts_does_not_go_on(
    tmp_path: Path, holder: subprocess.Popen[str], change: Callable[..., dict[str, object]]
) -> None:
    document = json.loads(record(tmp_path).read_text())
    record(tmp_path).write_text(json.dumps(change(document)))
    work = project_work(tmp_path, "demo")
    assert work is not None
    assert not work.goes_on


@pytest.mark.parametrize(
    "text",
    ["", "no number", "{", "[]", '{"pid": -1}', '{"pid": 7, "began": NaN}', '{"pid": true}', "0"],
)
def test_a_record_that_is_broken_says_nothing(tmp_path: Path, text: str) -> None:
    with project_lock(tmp_path, "demo", within=0, waiting=pytest.fail, verb="up"):
        pass
    record(tmp_path).write_text(text)
    assert project_work(tmp_path, "demo") is None


def test_a_link_in_its_place_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "projects").mkdir(mode=0o700)
    record(tmp_path).symlink_to("/etc/passwd")
    assert project_work(tmp_path, "demo") is None


def test_the_record_of_an_earlier_version_has_a_pid_alone(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    record(tmp_path).write_text(str(holder.pid))
    work = project_work(tmp_path, "demo")
    assert work is not None
    assert (work.pid, work.verb, work.goes_on) == (holder.pid, "", True)


def test_every_record_changes_the_stamp(tmp_path: Path) -> None:
    with project_lock(tmp_path, "demo", within=0, waiting=pytest.fail, verb="up"):
        during = stamp(tmp_path, "demo")
    assert () != during != stamp(tmp_path, "demo")


@needs_root
def test_the_work_of_another_user_is_seen_in_a_shared_state_folder() -> None:
    with public_folder(0, 0o1777) as state:

        def hold() -> None:
            lock = project_lock(state, "shop", within=0, waiting=lambda _: None, verb="up")
            lock.__enter__()
            globals()["_kept"] = lock  # else it would be released at once

        def read() -> str:
            work = project_work(state, "shop")
            return f"{work.verb} {work.goes_on}" if work else "nothing"

        pid = start_as(ANN, hold)
        try:
            assert as_user(NOBODY, read) == "up True"
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        assert as_user(NOBODY, read) == "up False"
