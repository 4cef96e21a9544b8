"""What a full look of `watch` sees of a real stack. One stack serves the whole file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from live.stack import LiveStack, docker, healthy, sleeper, until
from own_ports import free_ports

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

CANARY = "canary-5522ffaa"
"""A password that a log has."""

LOOK = """
import json, sys
binds = []
sys.addaudithook(lambda event, words: binds.append(words[1]) if event == "socket.bind" else None)
from dartsctl.records import as_dict
from dartsctl.cli.deps import Common, deps_of
from dartsctl.cli.doctor import request_for
from dartsctl.config.documented_ports import documented_ports
from dartsctl.workflows.watch.checks.base import CheckRules
from dartsctl.workflows.watch.eyes import StackEyes
from dartsctl.workflows.watch.known import Known
common = Common()
request = request_for(common, None, project=None, profiles=[], proxy="", url="")
rules = CheckRules(documented_ports(common.settings()))
eyes = StackEyes(request, rules, Known(), deps_of(common, remembers=True))
result = eyes.look()
glance = eyes.glance()
print(json.dumps({
    "problems": {str(row.subject): as_dict(row) for row in result.problems},
    "covers": sorted(result.covers),
    "services": {row.name: as_dict(row) for row in result.seen.services or ()},
    "ports": {row.port: as_dict(row) for row in result.seen.ports or ()},
    "again": eyes.glance().change_since(glance),
    "binds": [bind for bind in binds if isinstance(bind, tuple)],
}))
"""


@dataclass
class Watched:
    """A stack with an app on two ports, a sick service, and one whose log has a password.

    `looks` by the moment: before the first start, while it is up, broken, stopped.
    """

    stack: LiveStack
    strangers: list[int] = field(default_factory=list)
    looks: dict[str, dict[str, Any]] = field(default_factory=dict)

    def see(self, name: str) -> dict[str, Any]:
        """Look, and keep what was seen under a name."""
        done = subprocess.run(
            [sys.executable, "-c", LOOK],
            cwd=self.stack.folder,
            env=self.stack.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == "", "a look says nothing"
        self.looks[name] = json.loads(done.stdout)
        return self.looks[name]

    def listen(self, port: int, address: str, kind: str = "tcp") -> None:
        self.strangers.append(self.stack.listen(port, address, kind))

    def end_strangers(self) -> None:
        while self.strangers:
            self.stack.end(self.strangers.pop())


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Return the stack after everything has happened to it."""
    folder = tmp_path_factory.mktemp("watched")
    environ = dict(os.environ) | {"DARTSCTL_STATE_DIR": str(tmp_path_factory.mktemp("state"))}
    stack = LiveStack(folder, f"dct-{uuid.uuid4().hex[:10]}", free_ports(8), environ)
    case = Watched(stack)
    try:
        _let_it_happen(case)
        yield case
    finally:
        stack.close()


def _let_it_happen(case: Watched) -> None:
    stack, (first, second, third, udp, *_) = case.stack, case.stack.ports
    say = f"echo the password is {CANARY}; exec sleep 600"
    stack.compose(
        {
            "app": sleeper(
                f"127.0.0.1:{first}:80", f"127.0.0.1:{second}:81", f"127.0.0.1:{udp}:53/udp"
            ),
            "sick": healthy(after="echo no route; exit 1", retries=1),
            "db": {
                **sleeper(),
                "command": ["sh", "-c", say],
                "environment": {"DB_PASSWORD": CANARY},
            },
        }
    )
    stack.settings(f"[ports.production]\napp = [{first}]\nold = [{third}]")
    case.listen(first, "0.0.0.0")
    case.listen(second, "::1")
    case.listen(third, "127.0.0.1")
    case.listen(udp, "127.0.0.1", "udp")
    case.see("before")
    case.end_strangers()
    stack.up()
    identity = docker("compose", "-p", stack.project, "ps", "-q", "sick").strip()
    until(lambda: "(unhealthy)" in docker("ps", "--filter", f"id={identity}"))
    docker("kill", "-s", "KILL", f"{stack.project}-db-1")
    case.listen(first, "::1")
    case.see("broken")
    case.end_strangers()
    (stack.folder / "compose.json").rename(stack.folder / "away.json")
    case.see("without files")
    (stack.folder / "away.json").rename(stack.folder / "compose.json")
    docker("compose", "-p", stack.project, "stop", "-t", "0")
    case.see("stopped")


def test_strangers_are_problems_before_the_first_start(watched: Watched) -> None:
    look, (first, second, third, udp, *_) = watched.looks["before"], watched.stack.ports
    effects = {name: row["data"]["effect"] for name, row in look["problems"].items()}
    assert effects == {
        f"port:{first}/tcp": "conflict",
        f"port:{second}/tcp": "localhost",
        f"port:{third}/tcp": "documented",
        f"port:{udp}/udp": effects[f"port:{udp}/udp"],  # by the engine's version
    }
    assert effects[f"port:{udp}/udp"] in ("conflict", "doubtful")
    problem = look["problems"][f"port:{first}/tcp"]
    assert "dartsctl.toml:" in problem["sentence"]
    assert f"pid {problem['data']['pid']}" in problem["sentence"]
    assert look["ports"][str(first)]["is_stranger"] is True


def test_a_stack_that_was_never_up_is_no_problem_and_neither_is_one_that_was_stopped(
    watched: Watched,
) -> None:
    assert not [name for name in watched.looks["before"]["problems"] if "service" in name]
    assert watched.looks["stopped"]["problems"] == {}
    assert "service" in watched.looks["stopped"]["covers"]


def test_an_exit_comes_with_its_code_its_log_and_its_time(watched: Watched) -> None:
    problem = watched.looks["broken"]["problems"]["service:db"]
    assert problem["cause"] == "app-exited"
    assert problem["data"]["exit_code"] == 137
    assert problem["since"] is not None
    assert problem["evidence"][-1] == "log: the password is ***"
    assert CANARY not in json.dumps(watched.looks)


def test_a_failed_health_check_comes_with_its_output_and_its_time(watched: Watched) -> None:
    problem = watched.looks["broken"]["problems"]["service:sick"]
    assert problem["cause"] == "unhealthy"
    assert "health check: no route" in problem["evidence"]
    assert problem["since"] is not None


def test_a_stranger_beside_the_running_stack_is_told_from_its_own_forwarder(
    watched: Watched,
) -> None:
    look, (first, second, *_) = watched.looks["broken"], watched.stack.ports
    ports = [name for name in look["problems"] if name.startswith("port:")]
    assert ports == [f"port:{first}/tcp"]
    assert look["problems"][ports[0]]["data"]["effect"] == "localhost"
    assert look["ports"][str(second)] == {
        "port": second,
        "service": "app",
        "holder": "app",
        "is_stranger": False,
        "protocol": "tcp",
    }
    assert look["services"]["app"]["state"] == "running"
    assert look["services"]["sick"]["health"] == "unhealthy"


def test_without_its_files_a_stack_is_looked_at_by_its_labels(watched: Watched) -> None:
    problems = watched.looks["without files"]["problems"]
    assert problems["site"]["cause"] == "files-unreadable"
    assert problems["service:db"]["data"]["exit_code"] == 137


def test_a_look_binds_no_production_port_and_a_second_glance_sees_no_change(
    watched: Watched,
) -> None:
    ports = set(watched.stack.ports)
    for name, look in watched.looks.items():
        assert not [bind for bind in look["binds"] if bind[1] in ports], name
        assert look["again"] == "", name
