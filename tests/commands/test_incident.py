"""THE INCIDENT, replayed on compose/prod.yml as it is: a developer's Flask server on the host has production's port 5000 (REALSTACK.md 2)."""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from live_stack import LiveStack

pytest_plugins = ("live_stack",)
pytestmark = [pytest.mark.engine, pytest.mark.stack, pytest.mark.timeout(900)]

REPOSITORY = Path(__file__).parents[2]
PRODUCTION = {
    80: "nginx",
    443: "nginx",
    5000: "darts-app",
    8080: "api-gateway",
    5672: "rabbitmq",
    15672: "rabbitmq",
    9443: "wso2is",
    5432: "postgres",
}
DOCUMENTED = "[ports.production]\nnginx = [80, 443]\ndarts-app = 5000\napi-gateway = 8080\nrabbitmq = [5672, 15672]\nwso2is = 9443\npostgres = 5432\n"

SERVER = """
from flask import Flask

app = Flask("darts")


@app.get("/")
def index() -> str:
    return "the developer's own server"


app.run(host="0.0.0.0", port=5000)
"""


@pytest.fixture
def production(live: LiveStack, tmp_path: Path) -> Iterator[LiveStack]:
    """The repository's own production stack under a project name of the test's own, with secrets and a certificate of its own."""
    from live_stack import docker, until

    taken = [port for port in PRODUCTION if not _is_free(port)]
    until(lambda: all(_is_free(port) for port in PRODUCTION), seconds=90, say=f"this test needs production's ports; these are in use: {taken}")
    (tmp_path / "tls").mkdir()
    secrets = {name: f"canary-{name.lower().replace('_', '-')}-0a1b2c" for name in ("POSTGRES_PASSWORD", "RABBITMQ_PASSWORD", "SECRET_KEY")}
    lines = [f"{name}={value}" for name, value in (secrets | {"WSO2_IS_INTROSPECT_PASSWORD": "canary-wso2-0a1b2c"}).items()]
    (live.folder / "env").write_text("\n".join([*lines, f"TLS_DIR={tmp_path / 'tls'}", "JWT_VALIDATION_MODE=off", ""]))
    live.settings(f'env_files = ["env"]\nwait_timeout = 240\n{DOCUMENTED}', files=(REPOSITORY / "compose" / "prod.yml",))
    yield live
    live.close()
    docker("image", "rm", f"{live.project}-darts-app", f"{live.project}-api-gateway", check=False)


def _is_free(port: int) -> bool:
    import socket

    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def _status(port: int) -> int:
    """What answers on `/`, 0 for nobody."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def test_a_flask_server_on_port_5000_stops_prod_up_before_it_begins_and_the_stack_is_healthy_once_it_has_gone(production: LiveStack) -> None:
    from live_stack import until

    # A developer's server has the port: refused, with its pid and command line; nothing is created.
    (production.folder / "run.py").write_text(SERVER)
    log = production.folder / "server.log"
    with log.open("w") as file:
        server = production.spawn([sys.executable, "run.py"], stdout=file, stderr=file)
    until(lambda: _status(5000) == 200, say=log.read_text())
    refused = production.run("prod", "up")
    assert refused.code == 3
    assert f"pid {server.pid}" in refused.err
    assert "run.py" in refused.err
    assert "darts-app cannot have 127.0.0.1:5000/tcp" in refused.err
    assert production.leftovers() == []
    assert _status(5000) == 200, "the developer's server is left alone"

    # Without it the stack comes up healthy, and answers through its proxy.
    production.end(server.pid)
    up = production.run("prod", "up", timeout=400)
    assert up.code == 0, up.err
    assert _status(80) == 302
    for secret in ("canary-postgres", "canary-rabbitmq", "canary-secret", "canary-wso2"):
        assert secret not in refused.text + up.text

    # Everything is where the allocation says; the running stack is no conflict with itself.  # EDGE 36
    ports = production.run("ports", "--json")
    assert {row["port"]: row["owner"] for row in ports.document["production"]} == PRODUCTION
    assert {row["state"] for row in ports.document["production"]} == {"held by its service"}, ports.out
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
