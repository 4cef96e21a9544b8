"""`down` on the real engine: what is removed, what is kept, and volumes, which need a yes."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)
pytestmark = pytest.mark.engine


@pytest.fixture
def running(live: LiveStack) -> LiveStack:
    """Start a stack with a volume."""
    from live.stack import sleeper

    live.compose({"db": sleeper(volumes=["data:/data"])}, volumes={"data": {}})
    live.settings()
    live.up()
    return live


def test_down_removes_containers_and_networks_and_leaves_the_volumes(running: LiveStack) -> None:
    result = running.run("prod", "down")
    assert result.code == 0
    assert f"{running.project} is down" in result.err
    assert running.leftovers() == [f"volume {running.project}_data"]
    assert running.run("prod", "down").code == 0, "a stack that is down already is no error"


def test_volumes_are_deleted_only_with_yes(running: LiveStack) -> None:
    before = running.leftovers()
    for words in ((), ("--no-input",), ("--json",)):
        result = running.run("prod", "down", "--volumes", *words)
        assert result.code == 7
        assert "--yes" in result.text
    assert running.leftovers() == before
    assert running.run("prod", "down", "--volumes", "--yes").code == 0
    assert running.leftovers() == []


def test_a_dry_run_removes_nothing(running: LiveStack) -> None:
    before = running.leftovers()
    result = running.run("prod", "down", "--volumes", "--dry-run")
    assert result.code == 0
    assert "would run:" in result.out
    assert "down --volumes" in result.out
    assert running.run("prod", "down", "--dry-run", "--json").document["dry_run"] is True
    assert running.leftovers() == before


def test_an_orphan_stays_unless_it_is_asked_for(running: LiveStack) -> None:  # edge-cases.md#38
    from live.stack import sleeper

    container = f"{running.project}-db-1"
    running.compose({"web": sleeper()})
    result = running.run("prod", "down")
    assert result.code == 0
    orphan = "an orphan of this project, service db is not in its Compose files"
    assert f"{container} still runs: {orphan}" in result.err
    assert f"is down, except for {container}" in result.err
    assert "next: dartsctl prod down --remove-orphans" in result.err
    assert running.containers() == {container: "running"}

    running.compose({"web": sleeper(), "db": sleeper(profiles=["data"])})
    result = running.run("prod", "down", "--remove-orphans")
    assert f"{container} still runs: its service db is behind the profile data" in result.err
    assert "next: dartsctl prod down --profile data" in result.err
    left = running.run("prod", "down", "--json").document["left_running"]
    assert [(row["container"], row["reason"]) for row in left] == [(container, "profile")]

    (running.folder / "elsewhere").mkdir()
    running.compose({"web": sleeper()}, file="elsewhere/compose.json")
    running.settings(files=["elsewhere/compose.json"])
    warned = running.run("prod", "check")
    assert warned.code == 0, "different services of two folders are no replacement"
    assert f"{running.folder}/elsewhere, and {running.folder} ({container})" in warned.err
    result = running.run("prod", "down")
    assert f"of another stack with this project name, in {running.folder}" in result.err
    assert "next:" not in result.err, "nobody removes what belongs to another folder"
    assert running.containers() == {container: "running"}

    running.compose({"web": sleeper()})
    running.settings()
    assert running.run("prod", "down", "--remove-orphans").code == 0
    assert running.containers() == {}


def test_ctrl_c_ends_the_wait_for_a_stubborn_container_and_says_that_it_may_still_run(
    live: LiveStack,
) -> None:  # edge-cases.md#85
    from live.stack import ended, sleeper

    live.compose(
        {
            "stubborn": sleeper(
                command=["sh", "-c", "trap '' TERM; sleep 600"],
                init=False,
                stop_grace_period="300s",
            )
        }
    )
    live.settings()
    live.up()
    down = live.start("prod", "down")
    assert down.stdout is not None
    assert any("Stopping" in line for line in down.stdout)
    down.send_signal(signal.SIGINT)
    code, text = ended(down)
    assert code == 130
    assert "part of the stack may still run" in text
    assert live.containers() == {f"{live.project}-stubborn-1": "running"}


def test_the_stop_timeout_reaches_compose(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose(
        {
            "stubborn": sleeper(
                command=["sh", "-c", "trap '' TERM; sleep 600"], init=False, stop_grace_period="60s"
            )
        }
    )
    live.settings()
    live.up()
    begin = time.monotonic()
    assert live.run("prod", "down", "--timeout", "0").code == 0
    assert time.monotonic() - begin < 30


def test_every_container_has_its_own_grace_within_the_deadline(live: LiveStack) -> None:
    from dartsctl.cli.deps import Common, deps_of
    from dartsctl.commands.down import DownRequest, time_limit
    from dartsctl.config.environment import adhoc
    from dartsctl.records import replace
    from dartsctl.stack.containers import of_project
    from live.stack import sleeper

    live.compose(
        {"patient": sleeper(stop_grace_period="300s"), "quick": sleeper(stop_grace_period="7s")}
    )
    live.up()
    environment = adhoc(
        files=[live.folder / "compose.json"], project=live.project, directory=live.folder
    )
    engine = deps_of(Common()).engine()
    own = of_project(engine.containers(), live.project)
    request = DownRequest(environment, overhead=120)
    assert time_limit(request, engine, own) == 120 + 300 + 7
    assert time_limit(replace(request, stop_timeout=5), engine, own) == 120 + 2 * 5
