"""One dartsctl at a time for each project: real processes, real locks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dartsctl.edges.state.project_lock import project_lock
from dartsctl.errors import TimedOut
from dartsctl.system.files import UnsafeFile
from two_users import ANN, NOBODY, as_user, needs_root, public_folder

HOLDER = """
import sys, time
from pathlib import Path
from dartsctl.edges.state.project_lock import project_lock
with project_lock(Path(sys.argv[1]), sys.argv[2], within=0, waiting=lambda _: None):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start a process that holds a project's lock when this returns."""
    started: list[subprocess.Popen[str]] = []

    def begin(project: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-c", HOLDER, str(tmp_path), project]
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def names_of(tmp_path: Path, project: str, *, within: float = 0.3) -> str:
    """Return the holder that is named to a process that waits without success."""
    holders: list[str] = []
    with (
        pytest.raises(TimedOut, match=f"has been working on {project} for more than"),
        project_lock(tmp_path, project, within=within, waiting=holders.append),
    ):
        pytest.fail("two have the lock")
    (holder,) = holders
    return holder


def test_the_second_is_given_the_holder_and_stops_at_its_deadline(
    tmp_path: Path, hold: Callable[[str], subprocess.Popen[str]]
) -> None:
    holder = hold("demo")
    assert names_of(tmp_path, "demo") == f"another dartsctl (pid {holder.pid})"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_second_continues_when_the_first_ends_for_whatever_reason(
    tmp_path: Path, hold: Callable[[str], subprocess.Popen[str]], number: signal.Signals
) -> None:
    holder = hold("demo")
    holders: list[str] = []

    def waiting(who: str) -> None:
        holders.append(who)
        holder.send_signal(number)

    with project_lock(tmp_path, "demo", within=60, waiting=waiting) as work:
        assert len(holders) == 1
        assert work.has_waited


def test_another_project_is_free_and_so_is_the_same_one_afterwards(
    tmp_path: Path, hold: Callable[[str], subprocess.Popen[str]]
) -> None:
    hold("demo")
    for _ in range(2):
        with project_lock(tmp_path, "other", within=0, waiting=pytest.fail) as work:
            assert not work.has_waited


@pytest.mark.parametrize(
    "record", ["1", "-7", "0", "", "999999999999999999999999", "٣", "no number"]
)
def test_a_pid_that_the_kernel_does_not_confirm_is_not_named(
    tmp_path: Path, hold: Callable[[str], subprocess.Popen[str]], record: str
) -> None:
    hold("demo")
    (tmp_path / "projects" / "demo.lock").write_text(record)
    assert names_of(tmp_path, "demo", within=0) == "another dartsctl"


def test_a_pid_that_is_somebody_elses_is_not_named(
    tmp_path: Path, hold: Callable[[str], subprocess.Popen[str]]
) -> None:
    hold("demo")
    (tmp_path / "projects" / "demo.lock").write_text(str(os.getpid()))
    assert names_of(tmp_path, "demo", within=0) == "another dartsctl"


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "projects").mkdir(mode=0o700)
    (tmp_path / "target").touch()
    (tmp_path / "projects" / "demo.lock").symlink_to(tmp_path / "target")
    with pytest.raises(UnsafeFile), project_lock(tmp_path, "demo", within=0, waiting=pytest.fail):
        pytest.fail("the link was followed")
    assert (tmp_path / "target").read_text() == ""


def test_a_strange_name_stays_in_its_folder(tmp_path: Path) -> None:
    with project_lock(tmp_path, "../../demo", within=0, waiting=pytest.fail):
        pass
    assert [path.name for path in (tmp_path / "projects").iterdir()] == ["..%2F..%2Fdemo.lock"]


@needs_root
def test_users_who_share_the_state_folder_wait_for_each_other() -> None:
    with public_folder(0, 0o1777) as state:

        def try_it() -> str:
            with project_lock(state, "shop", within=0, waiting=lambda _: None):
                return "locked"

        assert as_user(ANN, try_it) == "locked"
        assert as_user(NOBODY, try_it) == "locked"
        with project_lock(state, "shop", within=0, waiting=lambda _: None):
            assert "has been working on shop" in as_user(ANN, try_it)
