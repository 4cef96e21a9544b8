"""The incident on compose/prod.yml: a Flask server on the host holds production's port 5000.

One story on one stack: `up` is refused without a terminal, the conflict is settled at the prompt,
the stack is healthy behind its proxy, and it is taken down.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import psutil
import pytest

from live.clients import own_port, status

if TYPE_CHECKING:
    from live.stack import LiveStack
    from live.terminal import Terminal

pytest_plugins = ("live.stack", "live.terminal", "live.production")
pytestmark = [pytest.mark.engine, pytest.mark.stack, pytest.mark.timeout(900)]

SECRETS = ("canary-postgres", "canary-rabbitmq", "canary-secret", "canary-wso2")


def test_a_flask_server_on_port_5000_is_refused_settled_at_the_prompt_and_production_is_healthy(
    production: LiveStack, terminal: Callable[..., Terminal]
) -> None:
    server = start_server(production)
    refuse_without_a_terminal(production, server)
    shown = settle_at_the_prompt(production, terminal, server)
    assert server.wait(60) < 0
    assert status(443) == 302
    assert status(5000) == 302, "port 5000 is production's"
    assert all(secret not in shown for secret in SECRETS)
    assert "unhealthy" not in production.run("prod", "ps").text
    check_history(production, server)
    check_allocation(production)
    start_again(production)
    take_down(production)


def start_server(production: LiveStack) -> subprocess.Popen[str]:
    """Start the developer's server on production's port and wait until it answers."""
    from live.production import FLASK_SERVER
    from live.stack import until

    (production.folder / "run.py").write_text(FLASK_SERVER.format(port=own_port(5000)))
    log = production.folder / "server.log"
    with log.open("w") as file:
        server = production.spawn([sys.executable, "run.py"], stdout=file, stderr=file)
    until(lambda: status(5000) == 200, say=log.read_text())
    return server


def refuse_without_a_terminal(production: LiveStack, server: subprocess.Popen[str]) -> None:
    refused = production.run("prod", "up")
    assert refused.code == 3
    assert f"pid {server.pid}" in refused.err
    assert "run.py" in refused.err
    assert f"darts-app cannot publish 127.0.0.1:{own_port(5000)}/tcp" in refused.err
    assert all(secret not in refused.text for secret in SECRETS)
    assert production.leftovers() == []
    assert status(5000) == 200, "the developer's server is left alone"


def settle_at_the_prompt(
    production: LiveStack, terminal: Callable[..., Terminal], server: subprocess.Popen[str]
) -> str:
    """Choose `stop` at the prompt of `prod up`. Return everything that was shown."""
    screen = terminal("prod", "up")
    question, lines = screen.menu()
    assert f"darts-app wants 127.0.0.1:{own_port(5000)}" in question
    assert f"pid {server.pid}" in question
    assert "run.py" in question
    choices = [line.split()[0] for line in lines]
    assert choices == ["wait", "stop", "show", "abort;"], (
        "safest first; no port of production moves"
    )
    assert production.leftovers() == [], "nothing is made before the answer"
    screen.takes(lines.index("show details"))
    details = screen.sees(f"listens on: {own_port(5000)}")
    assert f"parents: {psutil.Process().name()} ({os.getpid()})" in details
    assert f"in {production.folder}" in details
    assert "user root" in details or os.getuid() != 0
    screen.chooses("stop ")
    assert screen.ends(patience=400) == 0, screen.seen
    return screen.seen


def check_history(production: LiveStack, server: subprocess.Popen[str]) -> None:
    (entry,) = production.run("history", "--json").document["entries"]
    assert (entry["action"], entry["why"]) == ("stop-process", "in the way of darts-app")
    assert "run.py" in entry["what"]
    assert entry["details"]["pids"] == [server.pid]
    assert "stop-process" in production.run("history").out


def check_allocation(production: LiveStack) -> None:
    """Every port has its owner, and the running stack does not conflict with itself."""
    from live.production import owners

    ports = production.run("ports", "--json")
    rows = ports.document["production"]
    assert {row["port"]: row["owner"] for row in rows} == owners()
    assert {row["state"] for row in rows} == {"held by its service"}, ports.out
    check = production.run("prod", "check", "--json")
    assert check.code == 0, check.out
    assert {row["verdict"] for row in check.document["bindings"]} == {"held"}  # edge-cases.md#36


def start_again(production: LiveStack) -> None:
    begin = time.monotonic()
    before = production.identities()
    again = production.run("prod", "up")
    assert again.code == 0, again.err
    assert time.monotonic() - begin < 60
    assert production.identities() == before


def take_down(production: LiveStack) -> None:
    """`down` keeps the volumes and removes everything else."""
    down = production.run("prod", "down")
    assert down.code == 0, down.err
    left = production.leftovers()
    assert left
    assert all(line.startswith("volume ") for line in left), left
