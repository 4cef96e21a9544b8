"""THE INCIDENT, replayed on compose/prod.yml: a developer's Flask server on the host has production's port 5000 (REALSTACK.md 2)."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import pytest

from live.clients import own_port, status

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack", "live.production")
pytestmark = [pytest.mark.engine, pytest.mark.stack, pytest.mark.timeout(900)]

SERVER = """
from flask import Flask

app = Flask("darts")


@app.get("/")
def index() -> str:
    return "the developer's own server"


app.run(host="0.0.0.0", port={port})
"""


def test_a_flask_server_on_port_5000_stops_prod_up_before_it_begins_and_the_stack_is_healthy_once_it_has_gone(
    production: LiveStack,
) -> None:
    from live.production import owners
    from live.stack import until

    # A developer's server has the port: refused, with its pid and command line; nothing is created.
    (production.folder / "run.py").write_text(SERVER.format(port=own_port(5000)))
    log = production.folder / "server.log"
    with log.open("w") as file:
        server = production.spawn([sys.executable, "run.py"], stdout=file, stderr=file)
    until(lambda: status(5000) == 200, say=log.read_text())
    refused = production.run("prod", "up")
    assert refused.code == 3
    assert f"pid {server.pid}" in refused.err
    assert "run.py" in refused.err
    assert f"darts-app cannot have 127.0.0.1:{own_port(5000)}/tcp" in refused.err
    assert production.leftovers() == []
    assert status(5000) == 200, "the developer's server is left alone"

    # Without it the stack comes up healthy, and answers through its proxy.
    production.end(server.pid)
    up = production.run("prod", "up", timeout=400)
    assert up.code == 0, up.err
    assert status(443) == 302
    for secret in ("canary-postgres", "canary-rabbitmq", "canary-secret", "canary-wso2"):
        assert secret not in refused.text + up.text

    # Everything is where the allocation says; the running stack is no conflict with itself.  # edge-cases.md#36
    ports = production.run("ports", "--json")
    assert {row["port"]: row["owner"] for row in ports.document["production"]} == owners()
    assert {row["state"] for row in ports.document["production"]} == {"held by its service"}, (
        ports.out
    )
    check = production.run("prod", "check", "--json")
    assert check.code == 0, check.out
    assert {row["verdict"] for row in check.document["bindings"]} == {"held"}

    begin = time.monotonic()
    before = production.identities()
    again = production.run("prod", "up")
    assert again.code == 0, again.err
    assert time.monotonic() - begin < 20
    assert production.identities() == before

    # `down` leaves the data, and nothing else.
    down = production.run("prod", "down")
    assert down.code == 0, down.err
    left = production.leftovers()
    assert left
    assert all(line.startswith("volume ") for line in left), left
