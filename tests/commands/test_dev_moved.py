"""A dev stack beside a running one that has its ports: its bindings are remapped.

The host server connects to its own stack's PostgreSQL and RabbitMQ.
"""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from live.stack import LiveStack
    from live.terminal import Terminal

pytest_plugins = ("live.stack", "live.terminal")
pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("settled")]

REPOSITORY = Path(__file__).parents[2]

SERVER = """
import http.server, os, signal
from http.server import BaseHTTPRequestHandler as Handler

def answer(self):
    self.send_response(200)
    self.end_headers()
    self.wfile.write(os.environ.get("WEB_PORT", "unset").encode())

Handler.do_GET = answer
signal.signal(signal.SIGINT, lambda *_: os._exit(130))
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def ask(url: str, document: object = None, *, user: str = "") -> Any:
    """Return the JSON (or text) at a URL, None if nobody answers. A document is POSTed."""
    where = urlsplit(url)
    headers = {
        "Content-Type": "application/json",
        **({"Authorization": f"Basic {b64encode(user.encode()).decode()}"} if user else {}),
    }
    connection = http.client.HTTPConnection(where.netloc, timeout=5)
    try:
        connection.request(
            "GET" if document is None else "POST",
            where.path or "/",
            None if document is None else json.dumps(document),
            headers,
        )
        text = connection.getresponse().read().decode()
    except OSError:
        return None
    finally:
        connection.close()
    return json.loads(text) if text.startswith(("{", "[")) else text


def up(server: subprocess.Popen[str]) -> tuple[str, str]:
    """Return the URL that `dartsctl dev` prints when its server listens, and the output so far."""
    assert server.stdout is not None
    lines: list[str] = []
    while not lines or "dartsctl: http://" not in lines[-1]:
        line = server.stdout.readline()
        assert line, "".join(lines)
        lines.append(line)
    return lines[-1].split()[1], "".join(lines)


def end(server: subprocess.Popen[str]) -> None:
    """End it like Ctrl-C."""
    server.send_signal(signal.SIGINT)
    server.communicate(timeout=30)


def port_of(container: str, port: int) -> int:
    from live.stack import docker

    return int(docker("port", container, f"{port}/tcp").rpartition(":")[2])


def small(live: LiveStack, *, with_template: bool = True) -> int:
    """Make a dev stack of one service, whose port is taken. Return the port.

    The server answers with WEB_PORT.
    """
    from live.stack import sleeper
    from own_ports import free_ports

    port = live.ports[0]
    live.compose({"web": sleeper(f"127.0.0.1:{port}:80")})
    (live.folder / "server.py").write_text(SERVER)
    templates = '[server.env]\nWEB_PORT = "{web.port:80}"\n' if with_template else ""
    first = free_ports(8)[0]
    command = json.dumps([sys.executable, "server.py"])
    live.settings(
        f'[ports]\ndev_range = "{first}-{first + 7}"\n[server]\ncommand = {command}\n{templates}',
        environment="dev",
    )
    live.listen(port)
    return port


def test_without_a_terminal_dev_remaps_services_that_the_server_gets_the_address_of(
    live: LiveStack,
) -> None:
    port = small(live)
    server = live.start("dev")
    try:
        url, said = up(server)
        moved = port_of(f"{live.project}-web-1", 80)
        assert moved != port
        assert f"warning: web: port {port} is published on {moved} here" in said
        assert ask(url) == str(moved)
    finally:
        end(server)


def test_at_a_terminal_dev_asks_and_ctrl_c_ends_the_server(
    live: LiveStack, terminal: Callable[..., Terminal]
) -> None:
    small(live)
    screen = terminal("dev")
    screen.chooses("publish web on another free port")
    screen.sees("dartsctl: ")
    url = screen.sees(" (pid").split()[0]
    assert ask(url) == str(port_of(f"{live.project}-web-1", 80))
    screen.interrupts()
    assert screen.ends() == 130
    assert ask(url) is None


def test_a_service_that_the_server_gets_no_address_of_is_not_remapped_unasked(
    live: LiveStack,
) -> None:
    small(live, with_template=False)
    said = live.run("dev")
    assert said.code == 3
    assert "--on-conflict" in said.err or "free what is named" in said.err
    assert live.leftovers() == []


def test_dev_fails_on_a_conflict_with_the_policy_fail(live: LiveStack) -> None:
    small(live)
    assert live.run("dev", "--on-conflict", "fail").code == 3
    assert live.run("dev", DARTSCTL_ON_CONFLICT="fail").code == 3
    assert live.leftovers() == []


@pytest.mark.stack
@pytest.mark.timeout(400, func_only=True)  # not while another stack is up
def test_the_dev_stack_starts_beside_one_that_has_its_ports_and_the_server_talks_to_the_dev_one(
    dev_ports: list[int], live: LiveStack
) -> None:
    """The other stack is compose/dev.yml under another project name.

    Its passwords are the same, so that only the ports tell the two apart.
    """
    from live.stack import docker, own_compose
    from own_ports import free_ports

    other = live.of(f"{live.project}-app")
    live.up("-f", own_compose(live.folder) / "dev.yml", "-p", other)
    first = free_ports(8)[0]
    text = (REPOSITORY / "dartsctl.toml").read_text()
    server_tables = text[text.index("[server]") :].replace(
        '"compose/sample"', json.dumps(str(REPOSITORY / "compose" / "sample"))
    )
    live.settings(
        f'wait_timeout = 240\n[ports]\ndev_range = "{first}-{first + 7}"\n{server_tables}',
        files=(own_compose(live.folder) / "dev.yml",),
        environment="dev",
    )
    server = live.start("dev", "--on-conflict", "remap", SCORES_DB=str(live.folder / "scores.db"))
    try:
        url, _ = up(server)
        now = {
            old: port_of(f"{live.project}-{name}-1", target)
            for old, (name, target) in zip(dev_ports, _PUBLISHED, strict=True)
        }
        assert not set(now.values()) & set(dev_ports)
        _scores_go_to(url, live, other, management=now[dev_ports[2]])
    finally:
        end(server)

    # ps, ports and check know the new numbers, and the next `up` keeps them
    # --reset-ports returns to those of the files
    shown = {verb: live.run(*verb.split()) for verb in ("dev ps", "dev check", "ports")}
    assert {verb: said.code for verb, said in shown.items()} == dict.fromkeys(shown, 0)
    for said in shown.values():
        assert all(str(number) in said.out for number in now.values()), said.out
    moved = {int(row["instead_of"]): row for row in live.run("ports", "--json").document["moved"]}
    assert {old: row["port"] for old, row in moved.items()} == now
    assert moved[dev_ports[0]]["holders"][0]["container"] == f"{live.project}-postgres-1"
    before = live.identities()
    assert live.run("dev", "up").code == 0
    assert live.identities() == before
    assert live.run("dev", "down").code == 0
    again = live.run("dev", "up", "postgres")
    assert again.code == 0, again.err
    assert port_of(f"{live.project}-postgres-1", 5432) == now[dev_ports[0]]
    docker("stop", "-t", "0", f"{other}-postgres-1")
    back = live.run("dev", "up", "postgres", "--reset-ports")
    assert back.code == 0, back.err
    assert port_of(f"{live.project}-postgres-1", 5432) == dev_ports[0]


_PUBLISHED = (("postgres", 5432), ("rabbitmq", 5672), ("rabbitmq", 15672))


def _scores_go_to(url: str, live: LiveStack, other: str, *, management: int) -> None:
    """Scores over HTTP and RabbitMQ arrive in the dev PostgreSQL, and not in the other one."""
    from live.stack import until, visits_in

    health = until(
        lambda: (
            (ask(f"{url}/health") or {}).get("consumer") == "connected" and ask(f"{url}/health")
        ),
        say="the server never connects",
    )
    assert health["status"] == "ok"
    assert health["database"] == "postgresql"
    assert ask(f"{url}/scores", {"player": "Ann", "points": 60})["source"] == "http"
    message = {
        "properties": {},
        "routing_key": "darts.test",
        "payload": '{"player": "Bob", "points": 41}',
        "payload_encoding": "string",
    }
    exchange = f"http://127.0.0.1:{management}/api/exchanges/%2F/darts_exchange/publish"
    assert ask(exchange, message, user="darts:darts-dev") == {"routed": True}

    until(
        lambda: visits_in(live.project) == ["Ann|60|http", "Bob|41|rabbitmq"],
        say=str(visits_in(live.project)),
    )
    assert visits_in(other) == [], "the other stack's database has no such table"


def test_a_server_that_stands_in_for_the_whole_stack_starts_no_container(live: LiveStack) -> None:
    from live.stack import sleeper
    from own_ports import free_ports

    first = free_ports(8)[0]
    live.compose({"app": sleeper(f"127.0.0.1:{live.ports[0]}:80")})
    live.settings(
        f'[ports]\ndev_range = "{first}-{first + 7}"\n'
        '[server]\ncommand = ["sh", "-c", "exit 7"]\nreplaces = ["app"]\n',
        environment="dev",
    )
    assert live.run("dev", "--dry-run").code == 0
    assert live.run("dev").code == 7
    assert live.containers() == {}
