"""`dev --in-docker`: the app as a service of the dev stack, published on a leased port.

`dev url`, `dev list` and `dev stop` work as for a server on the host.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from own_images import BUSYBOX

if TYPE_CHECKING:
    from live.stack import LiveStack
    from live.terminal import Terminal

pytest_plugins = ("live.stack", "live.terminal")
pytestmark = pytest.mark.engine

REPOSITORY = Path(__file__).parents[2]
APP = 'echo "$$SELF $$DB" >/tmp/index.html; exec httpd -f -p 5000 -h /tmp'


@pytest.fixture
def stack(live: LiveStack) -> LiveStack:
    """Return a stack of an app that shows its variables, and a service beside it."""
    from live.stack import sleeper
    from own_ports import free_ports

    app = {
        "image": BUSYBOX,
        "command": ["sh", "-c", APP],
        "init": True,
        "ports": [f"127.0.0.1:{live.ports[0]}:5000"],
        "depends_on": ["db"],
        "environment": {"SELF": "http://localhost:5000", "DB": "db:5432"},
    }
    live.compose(
        {"app": {**app, "profiles": ["app"]}, "db": sleeper(f"127.0.0.1:{live.ports[1]}:5432")}
    )
    first = free_ports(8)[0]
    server = (
        '[server]\ncommand = ["true"]\nreplaces = ["app"]\n'
        '[server.env]\nSELF = "{url}/callback"\nDB = "{db.host}:{db.port:5432}"\n'
    )
    live.settings(f'[ports]\ndev_range = "{first}-{first + 7}"\n{server}', environment="dev")
    return live


def start(stack: LiveStack) -> tuple[subprocess.Popen[str], str, str]:
    """Start dartsctl. Return it, the URL that it prints, and its output so far."""
    process = stack.start("dev", "--in-docker")
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or "dartsctl: http://" not in lines[-1]:
        line = process.stdout.readline()
        assert line, "".join(lines)
        lines.append(line)
    return process, lines[-1].split("dartsctl: ")[1].split()[0], "".join(lines)


def text_at(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - our own http URL
        return str(answer.read().decode())


def test_the_app_runs_in_the_stack_on_a_leased_port_and_ctrl_c_stops_it_alone(
    stack: LiveStack,
) -> None:
    from live.stack import ended

    process, url, _ = start(stack)
    # its own URL is the leased one; other services are reached by name, as in the Compose file
    assert text_at(url) == f"{url}/callback db:5432\n"
    listed = stack.run("dev", "list", "--json").document["servers"]
    assert [(server["url"], server["kind"]) for server in listed] == [(url, "dev")]
    assert stack.containers() == {
        f"{stack.project}-app-1": "running",
        f"{stack.project}-db-1": "running",
    }
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 130
    assert stack.containers() == {
        f"{stack.project}-app-1": "exited",
        f"{stack.project}-db-1": "running",
    }
    assert stack.run("dev", "list", "--json").document["servers"] == []


def test_ctrl_c_at_a_terminal_ends_with_130_whatever_the_apps_own_code_is(
    stack: LiveStack, terminal: Callable[..., Terminal]
) -> None:
    """Compose's menu would read the key itself, and Compose ends with the container's code."""
    model = json.loads((stack.folder / "compose.json").read_text())
    trapped = "trap 'exit 3' TERM; httpd -p 5000; while :; do sleep 0.1; done"
    model["services"]["app"]["command"] = ["sh", "-c", trapped]
    stack.compose(model["services"])
    shown = terminal("dev", "--in-docker")
    shown.sees("dartsctl: http://")
    shown.interrupts()
    assert shown.ends() == 130, shown.seen
    assert stack.containers()[f"{stack.project}-app-1"] == "exited"


def test_a_second_ctrl_c_leaves_no_container_on_the_port(
    stack: LiveStack, terminal: Callable[..., Terminal]
) -> None:
    """Compose is killed by it, perhaps before it has killed a container that ignores SIGTERM."""
    model = json.loads((stack.folder / "compose.json").read_text())
    del model["services"]["app"]["init"]
    model["services"]["app"]["command"] = ["httpd", "-f", "-p", "5000"]
    stack.compose(model["services"])
    shown = terminal("dev", "--in-docker")
    shown.sees("dartsctl: http://")
    shown.interrupts()
    shown.sees("Stopping")
    shown.interrupts()
    assert shown.ends() == 130, shown.seen
    assert stack.containers()[f"{stack.project}-app-1"] == "exited"


def test_a_second_start_finds_the_same_port_and_stop_ends_it_from_elsewhere(
    stack: LiveStack,
) -> None:
    from live.stack import ended

    process, url, _ = start(stack)
    assert stack.run("dev", "url").out == f"{url}\n"
    stopped = stack.run("dev", "stop")
    assert stopped.code == 0
    assert ended(process)[0] in (130, 137, 143)  # 137 where the engine stops it slowly
    assert stack.containers()[f"{stack.project}-app-1"] == "exited"
    again, same, _ = start(stack)
    assert same == url
    again.send_signal(signal.SIGTERM)
    assert ended(again)[0] in (130, 137, 143)


def test_without_a_service_to_run_it_is_an_error(stack: LiveStack) -> None:
    settings = stack.folder / "dartsctl.toml"
    settings.write_text(settings.read_text().replace('replaces = ["app"]', ""))
    said = stack.run("dev", "--in-docker")
    assert said.code == 2
    assert "[server] replaces names no service" in said.err
    assert stack.leftovers() == []


def test_after_a_conflict_the_next_command_is_this_verb_again(stack: LiveStack) -> None:
    with socket.create_server(("127.0.0.1", stack.ports[1])):
        settings = stack.folder / "dartsctl.toml"
        settings.write_text(settings.read_text().replace('DB = "{db.host}:{db.port:5432}"', ""))
        said = stack.run("dev", "--in-docker")
    assert said.code == 3
    assert "next: dartsctl dev --in-docker" in said.err


@pytest.mark.stack
@pytest.mark.timeout(300, func_only=True)  # not while another stack is up
def test_the_bundled_app_shows_a_change_of_its_source(
    dev_ports: list[int], live: LiveStack
) -> None:
    from live.stack import ended, own_compose, until
    from own_ports import free_ports

    source = live.folder / "source"
    shutil.copytree(
        REPOSITORY / "compose" / "sample",
        source,
        ignore=shutil.ignore_patterns("instance", "__pycache__"),
    )
    first = free_ports(8)[0]
    server = (
        '[server]\nreplaces = ["darts-app"]\ncommand = ["true"]\n'
        'health = "/health"\nready_timeout = 120\n'
    )
    live.settings(
        f'wait_timeout = 240\n[ports]\ndev_range = "{first}-{first + 7}"\n{server}',
        files=(own_compose(live.folder) / "dev.yml",),
        environment="dev",
    )
    live.environ["DARTSERVER_DIR"] = str(source)
    try:
        process, url, _ = start(live)
        assert '"database":"postgresql"' in text_at(f"{url}/health").replace(" ", "")
        app = source / "darts_sample" / "app.py"
        app.write_text(app.read_text().replace('"service": "darts-app"', '"service": "changed"'))
        until(
            lambda: "changed" in (answer(f"{url}/health") or ""),
            seconds=60,
            say="the change is never served",
        )
        process.send_signal(signal.SIGINT)
        assert ended(process)[0] == 130
    finally:
        docker_image = f"{live.project}-darts-app"
        live.close(wait=True)
        subprocess.run(
            ["docker", "image", "rm", "-f", docker_image], check=False, capture_output=True
        )


def answer(url: str) -> str:
    """Return the text at a URL, empty while the server reloads."""
    try:
        return text_at(url)
    except OSError:
        return ""
