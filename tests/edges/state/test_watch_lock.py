"""One watch for each project: real processes, real locks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dartsctl.edges.state.watch_lock import running_watch, watch_lock
from dartsctl.errors import ExitCode, Refused
from two_users import ANN, BOB, as_user, needs_root, public_folder

HOLDER = """
import sys, time
from pathlib import Path
from dartsctl.edges.state.watch_lock import watch_lock
with watch_lock(Path(sys.argv[1]), "shop", environment="prod", now=1000.0):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that watches `shop`."""
    argv = [sys.executable, "-c", HOLDER, str(tmp_path)]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_watch_is_refused_with_who_runs(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    with (
        pytest.raises(Refused, match="another watch of shop runs already") as caught,
        watch_lock(tmp_path, "shop", environment="prod", now=2000.0),
    ):
        pytest.fail("two watches run")
    assert f"(pid {holder.pid}, since 1970-01-01T" in caught.value.message
    assert caught.value.hint == "dartsctl watch status --env prod"
    assert caught.value.code is ExitCode.REFUSED
    watching = running_watch(tmp_path, "shop")
    assert watching is not None
    assert (watching.pid, watching.since) == (holder.pid, 1000.0)


def test_a_killed_watch_frees_the_lock(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert running_watch(tmp_path, "shop") is None
    with watch_lock(tmp_path, "shop", environment="prod", now=2000.0):
        watching = running_watch(tmp_path, "shop")
    assert watching is not None
    assert watching.pid == os.getpid()
    assert running_watch(tmp_path, "shop") is None


def test_another_project_is_watched_beside_it(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    assert holder.poll() is None
    with watch_lock(tmp_path, "shop-dev", environment="dev", now=1.0):
        pass


@pytest.mark.parametrize("record", ["", "{", '{"pid": 1}', '{"pid": "x", "since": NaN}', "[]"])
def test_a_record_that_says_nothing_names_nobody(
    tmp_path: Path, holder: subprocess.Popen[str], record: str
) -> None:
    assert holder.poll() is None
    (tmp_path / "watch" / "shop" / "lock").write_text(record)
    with (
        pytest.raises(Refused) as caught,
        watch_lock(tmp_path, "shop", environment="prod", now=1.0),
    ):
        pytest.fail("two watches run")
    assert caught.value.message == "another watch of shop runs already"


@needs_root
def test_two_users_of_a_shared_state_folder_watch_different_projects() -> None:
    with public_folder(0, 0o1777) as state:

        def watch(project: str) -> str:
            with watch_lock(state, project, environment="prod", now=1.0):
                return "watches"

        assert as_user(ANN, lambda: watch("shop")) == "watches"
        assert as_user(BOB, lambda: watch("farm")) == "watches"
        assert "belongs to another user" in as_user(BOB, lambda: watch("shop"))
