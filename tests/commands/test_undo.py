"""The undo of an interrupted or failed `up`, on the real engine.

Colleagues who work in the same project lose nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dartsctl.cli.deps import Common, deps_of
from dartsctl.config.environment import adhoc
from dartsctl.edges.engine.address import endpoint
from dartsctl.records import replace
from dartsctl.workflows.preflight.inputs import Intent
from dartsctl.workflows.preflight.preflight import Preflight, run_preflight
from dartsctl.workflows.up.undo import Attempt
from fakes.relay import Relay

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)
pytestmark = pytest.mark.engine


def colleague(live: LiveStack, *words: str) -> None:
    """Run somebody else's Compose on the same files."""
    argv = ["docker", "compose", "--progress", "quiet", "-f", "compose.json", *words]
    done = subprocess.run(
        argv,
        cwd=live.folder,
        env=live.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def gated(live: LiveStack, **web: Any) -> None:
    """Write a stack: web waits for db, which is healthy on demand; `other` stands alone."""
    from live.stack import healthy, sleeper

    waits = {"depends_on": {"db": {"condition": "service_healthy"}}}
    live.compose(
        {
            "db": healthy(after="test -e /go", retries=60),
            "web": sleeper(**waits, **web),
            "other": sleeper(),
        }
    )
    live.settings(environment="dev")


def says(up: subprocess.Popen[str], words: str) -> str:
    """Wait until dartsctl has printed these words. Return the output up to them."""
    assert up.stdout is not None
    seen = ""
    for line in up.stdout:
        seen += line
        if words in line:
            return seen
    pytest.fail(f"{words!r} was never printed:\n{seen}")


@pytest.mark.parametrize("how", ["interrupted", "failed"])
def test_what_colleagues_started_meanwhile_in_the_same_project_is_kept(
    live: LiveStack, how: str
) -> None:
    from live.stack import docker, ended, until

    project = live.project
    gated(live, **({"command": ["/no/such/program"], "init": False} if how == "failed" else {}))
    up = live.start("dev", "up", "web")
    until(lambda: live.containers().get(f"{project}-db-1") == "running")
    colleague(
        live, "run", "--detach", "--no-deps", "--name", f"{project}-theirs", "db", "sleep", "600"
    )
    colleague(live, "up", "--detach", "other")
    if how == "failed":
        docker("exec", f"{project}-db-1", "touch", "/go")
    else:
        up.send_signal(signal.SIGINT)
    code, text = ended(up)
    assert code == (1 if how == "failed" else 130), text
    assert live.containers() == {f"{project}-other-1": "running", f"{project}-theirs": "running"}
    assert "not created by this `up`" in text
    assert "created by this `up`, still in use" in text, "their containers are on the network"


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    """The engine behind a relay that can hold up one request."""
    made = Relay(tmp_path / "relay.sock", endpoint(os.environ))
    yield made
    made.release.set()
    made.close()


def test_a_colleague_who_was_faster_with_the_same_service_keeps_it(
    live: LiveStack, relay: Relay
) -> None:
    """Their container already has the name: our Compose prints Creating, and never Created."""
    from live.stack import docker, ended, sleeper, until

    live.compose({"first": sleeper(), "web": sleeper(depends_on=["first"])})
    live.settings(environment="dev")
    relay.held = f"{live.project}-first-1".encode()
    up = live.start("dev", "up", DOCKER_HOST=relay.address)
    says(up, f"Container {live.project}-first-1  Creating")
    colleague(live, "up", "--detach", "--no-deps", "web")
    relay.release.set()
    theirs = docker("inspect", "-f", "{{.Id}}", f"{live.project}-web-1").strip()
    code, text = ended(up)
    until(lambda: f"{live.project}-first-1" not in live.containers())
    assert code == 3, text
    assert live.identities() == {theirs}
    assert live.containers() == {f"{live.project}-web-1": "running"}


def test_ctrl_c_during_a_creation_leaves_nothing_but_the_volume(
    live: LiveStack, relay: Relay
) -> None:
    """The engine finishes a creation after its client has left, while the undo waits for it."""
    from live.stack import ended, sleeper, until

    live.compose({"first": sleeper(volumes=["large:/data"])}, volumes={"large": {}})
    live.settings(environment="dev")
    relay.held = b"/containers/create"
    up = live.start("dev", "up", DOCKER_HOST=relay.address)
    says(up, f"Container {live.project}-first-1  Creating")
    assert relay.holding.wait(60)
    begin = time.monotonic()
    up.send_signal(signal.SIGINT)
    listed = "GET /containers/json?all=1"  # first: what was created; second: the undo waits
    until(lambda: sum(when > begin and words == listed for when, words in list(relay.asked)) > 1)
    relay.release.set()
    assert ended(up)[0] == 130
    assert live.leftovers() == [f"volume {live.project}_large"]


def test_new_replicas_of_a_service_that_was_there_go_and_the_old_one_stays(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper()})
    live.settings(environment="dev")
    live.up()
    before = live.identities()
    live.compose({"web": sleeper(), "broken": sleeper(command=["/no/such/program"], init=False)})
    result = live.run("dev", "up", "--scale", "web=3")
    assert result.code == 1, result.text
    assert live.identities() == before
    assert live.containers() == {f"{live.project}-web-1": "running"}


def test_a_name_that_masking_would_hide_is_still_known(live: LiveStack) -> None:
    """A secret equals the project name: the output is masked, but what is followed is not."""
    from live.stack import sleeper

    (live.folder / ".env").write_text(f"DB_PASSWORD={live.project}\n")
    live.compose({"web": sleeper(command=["/no/such/program"], init=False), "db": sleeper()})
    live.settings('env_files = [".env"]', environment="dev")
    assert live.run("dev", "up").code == 1
    assert live.leftovers() == []


# --- Compose's lines written by hand, on the real engine ---------------------------------------


@pytest.fixture
def before(live: LiveStack, own_state_folder: Path) -> Preflight:
    """Return the preflight of a stack with one service that does not exist yet."""
    from live.stack import sleeper

    environment = adhoc(files=(live.compose({"web": sleeper()}),), directory=live.folder)
    return run_preflight(environment, Intent(), deps=deps_of(Common()))


def names(live: LiveStack) -> tuple[str, str]:
    return f"{live.project}-web-1", f"{live.project}_default"


def test_a_container_that_was_only_begun_and_that_somebody_starts_is_left(
    live: LiveStack, before: Preflight
) -> None:
    """Both Composes were creating it, and ours ended before it knew who was faster."""
    from live.stack import docker

    web, network = names(live)
    pauses: list[float] = []

    def somebody_starts_it(seconds: float) -> None:
        pauses.append(seconds)
        docker("start", web)

    attempt = Attempt(before, replace(deps_of(Common()), sleep=somebody_starts_it))
    attempt.follow(f" Container {web}  Creating")
    colleague(live, "create")
    undone = attempt.undo()
    assert len(pauses) == 1
    assert f"left container {web} (running): may belong to somebody else" in undone.lines
    assert f"left network {network}: not created by this `up`" in undone.lines
    assert live.containers() == {web: "running"}


def test_a_container_that_was_only_begun_and_that_nobody_starts_is_removed(
    live: LiveStack, before: Preflight
) -> None:
    web, network = names(live)
    attempt = Attempt(before, deps_of(Common()))
    attempt.follow(f" Network {network}  Creating")
    attempt.follow(f" Container {web}  Creating")
    colleague(live, "create")
    attempt.undo()
    assert live.leftovers() == []


def test_containers_of_other_files_are_not_removed_on_suspicion(
    live: LiveStack, before: Preflight
) -> None:
    from live.stack import docker, sleeper

    web, _ = names(live)
    attempt = Attempt(before, deps_of(Common()))
    attempt.follow(f" Container {web}  Creating")
    live.compose({"web": sleeper()}, file="elsewhere/compose.json")
    subprocess.run(
        ["docker", "compose", "-f", "elsewhere/compose.json", "create"],
        cwd=live.folder,
        env=live.environ,
        check=True,
        capture_output=True,
    )
    attempt.undo()
    assert docker("inspect", "-f", "{{.State.Status}}", web) == "created\n"


def test_a_container_that_was_replaced_since_under_the_same_name_is_left(
    live: LiveStack, before: Preflight
) -> None:
    """The id decides, not the name."""
    from live.stack import docker

    web, _ = names(live)
    attempt = Attempt(before, deps_of(Common()))
    attempt.follow(f" Container {web}  Creating")
    colleague(live, "create")
    attempt.follow(f" Container {web}  Created")
    docker("rm", "-f", web)
    colleague(live, "up", "--detach")
    undone = attempt.undo()
    assert f"left container {web} (running): not created by this `up`" in undone.lines
    assert live.containers() == {web: "running"}


def test_created_alone_does_not_claim_an_older_container(
    live: LiveStack, before: Preflight
) -> None:
    web, _ = names(live)
    attempt = Attempt(before, deps_of(Common()))
    colleague(live, "create")
    attempt.follow(f" Container {web}  Created")
    attempt.undo()
    assert live.containers() == {web: "created"}


def test_a_network_of_ours_that_a_colleagues_stopped_container_needs_is_left(
    live: LiveStack, before: Preflight
) -> None:
    from live.stack import docker

    web, network = names(live)
    attempt = Attempt(before, deps_of(Common()))
    attempt.follow(f" Network {network}  Creating")
    colleague(live, "create")
    attempt.follow(f" Network {network}  Created")
    docker("start", web)
    docker("stop", "-t", "0", web)
    assert f"left network {network}: created by this `up`, still in use" in attempt.undo().lines
    docker("start", web)


def test_an_undo_with_nothing_begun_waits_for_nothing(live: LiveStack, before: Preflight) -> None:
    waits: list[float] = []
    Attempt(before, replace(deps_of(Common()), sleep=waits.append)).undo()
    assert not waits
