"""A Compose that hangs, sends endless output or ignores signals.

Every verb ends in time, with little memory and one error.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dartsctl.cli.deps import Common, deps_of
from dartsctl.commands.down import DownRequest, down
from dartsctl.config.environment import adhoc
from dartsctl.edges.engine.compose import Compose
from dartsctl.edges.state.compose_versions import ComposeVersions
from dartsctl.errors import TimedOut
from fakes import hostile_engine
from fakes.hostile_engine import engine

if TYPE_CHECKING:
    from fakes.plain_project import Project

pytest_plugins = ("fakes.plain_project",)

pytestmark = pytest.mark.once

MEGABYTES = 150
VERSION = 'case "$*" in *version*) echo 2.40.3; exit ;; esac'
HANGS = f"{VERSION}\nexec sleep 600"
ALWAYS_HANGS = "exec sleep 600"
FLOODS = f"{VERSION}\nexec cat /dev/zero"
FLOODS_STDERR = f"{VERSION}\nhead -c 200000000 /dev/zero >&2; exit 1"
STARTS = "HEALTHY\necho ' Container shop-app-1  Started'"
"""After this line `--wait-timeout` counts: a Compose that says nothing known has 30 s at least."""


@pytest.mark.parametrize(
    "script",
    [HANGS, ALWAYS_HANGS, f"trap '' TERM INT\n{HANGS}"],
    ids=["config", "everything", "stubborn"],
)
def test_a_server_does_not_wait_for_a_compose_that_hangs(project: Project, script: str) -> None:
    project.compose(script)
    for ended in project.measure("run -- true", "dev --no-services", within=60):
        assert ended.code == 0, ended
        assert ended.seconds < 45
        lines = ended.err.splitlines()
        (note,) = [line for line in lines if "documented production ports" in line]
        assert "did not end within 2 s" in note


def test_documented_production_ports_are_refused_anyway(project: Project) -> None:
    project.compose(HANGS)
    ended = project.run("run --port 5000 -- true")
    assert ended.code == 4, ended
    assert ended.seconds < 45


@pytest.mark.parametrize("script", [FLOODS, FLOODS_STDERR], ids=["stdout", "stderr"])
def test_a_compose_that_floods_costs_little_memory(project: Project, script: str) -> None:
    project.compose(script)
    for ended in project.measure(
        "check -f compose.json --no-engine", "prod config", "prod up", within=120
    ):
        assert ended.code in (1, 5), ended
        assert ended.error
        assert ended.seconds < 60
        assert ended.megabytes < MEGABYTES


@pytest.mark.parametrize("flood", ["cat /dev/zero", "yes", "yes >&2"])
def test_an_up_that_floods_ends_with_its_deadline_and_costs_little_memory(
    project: Project, flood: str
) -> None:
    project.compose(f"{STARTS}\n{flood}")
    with engine(project.folder, hostile_engine.is_well):
        ended = project.run("prod up --quiet --wait-timeout 2", within=120)
    assert ended.code in (5, 6, 124), ended
    assert ended.seconds < 60
    assert ended.megabytes < MEGABYTES


@pytest.mark.parametrize(
    "start", ["sleep 600 &", "setsid sleep 600 &"], ids=["background job", "daemon"]
)
def test_a_child_of_compose_that_keeps_the_pipe_open_is_not_waited_for(
    project: Project, start: str
) -> None:
    project.compose(f"{VERSION}\n{start}\nHEALTHY")
    for ended in project.measure(
        "check -f compose.json --no-engine", "prod config", "run -- true", within=60
    ):
        assert ended.code == 0, ended
        assert ended.seconds < 45


def test_a_compose_that_ignores_every_signal_does_not_outlive_the_deadline(
    project: Project,
) -> None:
    project.compose(f"{STARTS}\ntrap '' INT TERM\nwhile :; do sleep 1; done")
    with engine(project.folder, hostile_engine.is_well) as address:
        ended = project.run("prod up --wait-timeout 1", DOCKER_HOST=address)
    assert ended.code in (5, 6, 124), ended
    assert ended.seconds < 50


def test_a_compose_that_hangs_is_given_up(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.compose(HANGS)
    monkeypatch.setenv("DOCKER_CONFIG", project.environ["DOCKER_CONFIG"])
    environment = adhoc(files=[project.folder / "compose.json"], directory=project.folder)
    compose = Compose(environment, known=ComposeVersions(project.folder), deadline=1)
    for ask in (compose.config, compose.all_services, lambda: compose.hashes(("a",))):
        with pytest.raises(TimedOut, match="did not end within 1 s"):
            ask()


def test_the_deadline_of_down_is_reported(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.compose("HEALTHY\nexec sleep 600")
    for name in ("DOCKER_CONFIG", "DOCKER_HOST"):
        monkeypatch.setenv(name, project.environ[name])
    environment = adhoc(
        files=[project.folder / "compose.json"], project="shop", directory=project.folder
    )
    with (
        engine(project.folder, hostile_engine.is_well),
        pytest.raises(TimedOut, match="`down` did not end within 1 s") as caught,
    ):
        down(
            DownRequest(environment, overhead=1),
            deps=deps_of(Common(quiet=True)),
        )
    assert "--timeout 0" in caught.value.hint


def pids_in(file: Path) -> set[int]:
    try:
        return {int(word) for word in file.read_text().split()}
    except OSError:
        return set()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("trap", ["", "trap '' TERM INT HUP"], ids=["obedient", "stubborn"])
@pytest.mark.parametrize("words", ["prod up", "prod down"])
def test_compose_and_its_children_end_when_dartsctl_is_killed(
    project: Project, words: str, trap: str
) -> None:
    pid_file = project.folder / "pids"
    project.compose(f"HEALTHY\n{trap}\nsleep 600 &\necho $$ $! > {pid_file}\nwait; sleep 600")
    with engine(project.folder, hostile_engine.is_well) as address:
        process = project.start(words, DOCKER_HOST=address)
        until = time.monotonic() + 30
        while not (pids := pids_in(pid_file)):
            assert time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        until = time.monotonic() + 60
        while any(is_alive(pid) for pid in pids):
            assert time.monotonic() < until, "still running"
            time.sleep(0.02)
