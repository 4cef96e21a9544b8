"""The kernel says when a container's first process ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dartsctl.edges.host.first_process import CannotWatch, FirstProcesses

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pidfd is Linux only")

CONTAINER, OTHER = "a1" * 32, "b2" * 32


@contextmanager
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[FirstProcesses]:
    processes = FirstProcesses(tmp_path)
    yield processes
    processes.close()


def in_container(folder: Path, pid: int, container: str = CONTAINER) -> None:
    """Write the control group of a process, as /proc has it."""
    (folder / str(pid)).mkdir()
    (folder / str(pid) / "cgroup").write_text(f"0::/system.slice/docker-{container}.scope\n")


def test_the_end_is_noticed_once(tmp_path: Path, watched: FirstProcesses) -> None:
    with sleeper() as first, sleeper() as other:
        in_container(tmp_path, first.pid)
        in_container(tmp_path, other.pid, OTHER)
        watched.add(CONTAINER, first.pid)
        watched.add(OTHER, other.pid)
        assert watched.wait(0) == ()
        first.kill()
        assert watched.wait(60) == (CONTAINER,)
        assert watched.wait(0) == ()
        other.kill()
        assert watched.wait(60) == (OTHER,)


def test_after_a_restart_the_next_process_counts(tmp_path: Path, watched: FirstProcesses) -> None:
    with sleeper() as first, sleeper() as second:
        for process in (first, second):
            in_container(tmp_path, process.pid)
            watched.add(CONTAINER, process.pid)
        first.kill()
        first.wait()
        assert watched.wait(0) == ()
        second.kill()
        assert watched.wait(60) == (CONTAINER,)


def test_a_process_of_something_else_is_refused(tmp_path: Path, watched: FirstProcesses) -> None:
    in_container(tmp_path, os.getpid(), OTHER)
    with pytest.raises(CannotWatch, match="is none of container a1a1a1a1a1a1"):
        watched.add(CONTAINER, os.getpid())


def test_a_process_that_is_not_in_sight_is_refused(watched: FirstProcesses) -> None:
    with pytest.raises(CannotWatch, match="not in sight"):
        watched.add(CONTAINER, os.getpid())
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    for pid in (gone.pid, -1, 0, 2**40):
        with pytest.raises(CannotWatch):
            watched.add(CONTAINER, pid)


def test_it_can_be_woken_and_forgets_what_is_removed(
    tmp_path: Path, watched: FirstProcesses
) -> None:
    with sleeper() as process:
        in_container(tmp_path, process.pid)
        watched.add(CONTAINER, process.pid)
        watched.remove(CONTAINER)
        watched.remove(CONTAINER)
        process.kill()
        process.wait()
        watched.wake()
        assert watched.wait(60) == ()
