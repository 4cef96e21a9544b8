"""THE INCIDENT settled in one `dartsctl prod up` at a terminal: the developer's Flask server on 5000 is named, looked at and stopped, and the
compose/prod.yml comes up healthy behind its proxy (REALSTACK.md 2)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from live.clients import own_port, status

if TYPE_CHECKING:
    from live.stack import LiveStack
    from live.terminal import Terminal

pytest_plugins = ("live.stack", "live.terminal", "live.production")
pytestmark = [pytest.mark.engine, pytest.mark.stack, pytest.mark.timeout(900)]

SERVER = """
from flask import Flask

app = Flask("darts")


@app.get("/")
def index() -> str:
    return "the developer's own server"


app.run(host="0.0.0.0", port={port})
"""


def test_one_prod_up_names_the_flask_server_on_5000_stops_it_when_told_to_and_brings_production_up_healthy(
    production: LiveStack, terminal: Callable[..., Terminal]
) -> None:
    from live.stack import until

    (production.folder / "run.py").write_text(SERVER.format(port=own_port(5000)))
    log = production.folder / "server.log"
    with log.open("w") as file:
        server = production.spawn([sys.executable, "run.py"], stdout=file, stderr=file)
    until(lambda: status(5000) == 200, say=log.read_text())

    # The prompt names who has the port, and what wants it.
    screen = terminal("prod", "up")
    question, lines = screen.menu()
    assert f"darts-app wants 127.0.0.1:{own_port(5000)}" in question
    assert f"pid {server.pid}" in question
    assert "run.py" in question
    assert [line.split()[0] for line in lines] == ["wait", "stop", "show", "abort;"], (
        "safest first; production's ports never move"
    )
    assert production.leftovers() == [], "nothing is made before the answer"

    # Details on demand, as often as wanted; then the choice.
    screen.takes(lines.index("show details"))
    details = screen.sees(f"listens on: {own_port(5000)}")
    assert f"parents: {_name_of(os.getpid())} ({os.getpid()})" in details
    assert f"in {production.folder}" in details
    assert "user root" in details or os.getuid() != 0
    screen.chooses("stop ")
    assert screen.ends(patience=400) == 0, screen.seen

    assert server.wait(5) < 0
    assert status(443) == 302
    assert status(5000) == 302, "port 5000 is production's"
    assert "canary-" not in screen.seen
    states = production.run("prod", "ps").text
    assert "unhealthy" not in states

    history = production.run("history", "--json").document["entries"]
    assert [(one["action"], one["why"]) for one in history] == [
        ("stop-process", "in the way of darts-app")
    ]
    assert "run.py" in history[0]["what"]
    assert history[0]["details"]["pids"] == [server.pid]
    assert "stop-process" in production.run("history").out


def _name_of(pid: int) -> str:
    import psutil

    return psutil.Process(pid).name()
