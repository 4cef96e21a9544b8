"""Two dartsctl work on one project: one waits for the other and says so.

Verbs that only read do not wait.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dartsctl.edges.state.project_lock import project_lock

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)
pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("settled")]


def slow_stack(live: LiveStack) -> None:
    """Write a stack that is healthy when a file `go` exists in its folder."""
    from live.stack import sleeper

    check = {"test": ["CMD", "test", "-e", "/shared/go"], "interval": "1s", "start_period": "300s"}
    service = sleeper(
        f"127.0.0.1:{live.ports[0]}:80", healthcheck=check, volumes=[f"{live.folder}:/shared:ro"]
    )
    live.compose({"web": service})
    live.settings(environment="dev")


def until_said(process: subprocess.Popen[str], words: str) -> str:
    """Return the output up to a line with these words."""
    assert process.stdout is not None
    result = ""
    for line in process.stdout:
        result += line
        if words in line:
            return result
    pytest.fail(f"it never printed {words!r}:\n{result}")


def test_the_second_up_waits_for_the_first_says_for_whom_and_changes_nothing(
    live: LiveStack,
) -> None:
    from live.stack import ended

    slow_stack(live)
    first = live.start("dev", "up")
    until_said(first, "waiting for web")
    second = live.start("dev", "up")
    result = until_said(second, "is working on")
    assert (
        f"another dartsctl (pid {first.pid}) is working on {live.project}; waiting for it" in result
    )
    (live.folder / "go").touch()
    assert ended(first)[0] == 0
    before = live.identities()
    code, rest = ended(second)
    assert code == 0, result + rest
    assert "another engine" not in result + rest
    assert live.identities() == before


def test_a_killed_up_frees_the_project(live: LiveStack) -> None:
    slow_stack(live)
    first = live.start("dev", "up")
    until_said(first, "waiting for web")
    second = live.start("dev", "up")
    until_said(second, "is working on")
    first.send_signal(signal.SIGKILL)
    (live.folder / "go").touch()
    until_said(second, f"{live.project} is up")


@pytest.mark.parametrize(
    "words",
    [("dev", "up", "--wait-timeout", "1"), ("dev", "restart", "--wait-timeout", "1")],
    ids=" ".join,
)
def test_waiting_ends_with_124_and_names_the_other(live: LiveStack, words: tuple[str, ...]) -> None:
    slow_stack(live)
    with project_lock(
        Path(os.environ["DARTSCTL_STATE_DIR"]), live.project, within=0, waiting=pytest.fail
    ):
        result = live.run(*words)
    assert result.code == 124
    assert (
        f"another dartsctl (pid {os.getpid()}) has been working on {live.project} for more than 1 s"
        in result.err
    )
    assert live.leftovers() == []


@pytest.mark.parametrize(
    "verb", ["check", "ps", "config", "logs", "up --dry-run", "down --dry-run"]
)
def test_reading_verbs_wait_for_nobody(live: LiveStack, verb: str) -> None:
    slow_stack(live)
    with project_lock(
        Path(os.environ["DARTSCTL_STATE_DIR"]), live.project, within=0, waiting=pytest.fail
    ):
        result = live.run("dev", *verb.split())
    assert "another dartsctl" not in result.text
    assert result.code == 0, result.text
