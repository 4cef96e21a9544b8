"""A dev stack whose files have production's names, ports, volume and network, beside it.

One choice, or one flag, gives it its own; production and its data stay as they are
(edge-cases.md#89).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from live.stack import LiveStack
    from live.terminal import Terminal

pytest_plugins = ("live.stack", "live.terminal")
pytestmark = pytest.mark.engine

SETTINGS = """
name = "{name}"
[prod]
files = ["prod.json"]
env_files = []
unsafe = "warn"
[dev]
files = ["dev.json"]
"""


def stack(live: LiveStack, who: str, subnet: str) -> dict[str, Any]:
    """Services that write `who` into their volume, with names, ports and addresses of one kind."""
    from live.stack import sleeper

    prefix, (web, db) = live.project, live.ports[:2]
    database = sleeper(
        f"127.0.0.1:{db}:80",
        container_name=f"{prefix}-db",
        volumes=["data:/data"],
        networks={"back": {"ipv4_address": subnet.replace("0/24", "9")}},
    )
    database["command"] = ["sh", "-c", f"echo {who} >> /data/who; httpd -p 80; exec sleep 600"]
    services = {
        "db": database,
        "web": sleeper(f"{web}:80", container_name=f"{prefix}-web", networks=["back"]),
    }
    more = {
        "volumes": {"data": {"name": f"{prefix}_the_data"}},
        "networks": {
            "back": {"name": f"{prefix}_the_net", "ipam": {"config": [{"subnet": subnet}]}}
        },
    }
    live.compose(services, file=f"{who}.json", name=prefix, **more)
    return more


def written_in(container: str) -> str:
    from live.stack import docker

    return docker("exec", container, "cat", "/data/who").strip()


def free_subnet() -> str:
    """Return a subnet that no network of this engine has a part of."""
    from live.stack import docker

    networks = docker("network", "ls", "-q").split()
    words = ("network", "inspect", "-f", "{{range .IPAM.Config}}{{.Subnet}} {{end}}", *networks)
    used = docker(*words, check=False)  # one of another test may be gone by now
    parts = range(128, 256)  # test_cannot_start.py takes the lower ones
    return next(f"10.213.{part}.0/24" for part in parts if f"10.213.{part}." not in used)


def test_dev_starts_beside_production_with_names_ports_and_data_of_its_own(
    live: LiveStack, terminal: Callable[..., Terminal]
) -> None:
    from live.stack import docker

    production, dev = live.of(live.project), live.of(f"{live.project}-dev")
    subnet = free_subnet()
    for who in ("prod", "dev"):
        stack(live, who, subnet)
    (live.folder / "dartsctl.toml").write_text(SETTINGS.format(name=production))
    live.up("-f", "prod.json")
    before = live.identities(production)

    refused = live.run("dev", "up", "--json")
    moves = refused.document["moves"]
    assert refused.code == 3
    assert refused.document["hint"] == "dartsctl dev up --on-conflict remap"
    kinds = {collision["kind"] for collision in refused.document["collisions"]}
    assert kinds >= {"container-name", "shared-volume", "shared-network"}
    for words in (f"volume {dev}_data instead of", f"network {dev}_back instead of", f"{dev}-db-1"):
        assert any(words in move for move in moves), moves
    assert live.leftovers(dev) == []

    screen = terminal("dev", "up")
    question, lines = screen.menu()
    assert question.startswith(f"{dev} cannot start with the ports and names of its files")
    assert lines[0] == f"start {dev} with these ports and names"
    assert all(move in screen.seen for move in moves)
    screen.takes(2)
    assert screen.ends() == 7

    assert live.run("dev", "up", "--on-conflict", "remap", "--dry-run").code == 3
    assert live.leftovers(dev) == []
    started = live.run("dev", "up", "--on-conflict", "remap", "--yes")
    assert started.code == 0, started.err
    assert all(f"warning: {move}" in started.err for move in moves)
    assert live.containers(dev) == {f"{dev}-db-1": "running", f"{dev}-web-1": "running"}
    assert (written_in(f"{dev}-db-1"), written_in(f"{production}-db")) == ("dev", "prod")
    assert docker("network", "inspect", "-f", "{{len .Containers}}", f"{production}_the_net") == (
        "2\n"
    )

    ours = live.identities(dev)
    assert live.run("dev", "up").code == 0
    assert live.identities(dev) == ours, "a second `up` keeps the moves"
    assert live.run("dev", "restart", "web").code == 0
    assert live.run("dev", "logs").code == 0

    assert live.run("dev", "down").code == 0
    assert live.leftovers(dev) == [f"volume {dev}_data"], "its own network is gone too"
    down = live.run("dev", "down", "--volumes", "--yes")
    assert down.code == 0, down.err
    assert live.leftovers(dev) == []
    assert live.identities(production) == before
    assert written_in(f"{production}-db") == "prod"


def test_down_deletes_no_volume_of_another_project(live: LiveStack) -> None:
    from live.stack import docker, sleeper

    production = live.of(f"{live.project}-app")
    name = f"{live.project}_the_data"
    volumes = {"data": {"name": name}}
    live.compose({"db": sleeper(volumes=["data:/data"])}, volumes=volumes)
    live.settings(environment="dev")
    docker("volume", "create", "--label", f"com.docker.compose.project={production}", name)
    said = live.run("dev", "down", "--volumes", "--yes")
    assert said.code == 4
    assert f"`down --volumes` would delete volume {name} of project {production}" in said.err
    assert f"volume {name}" in live.leftovers(production)


def test_down_of_dev_deletes_no_volume_that_production_uses_whoever_made_it(
    live: LiveStack,
) -> None:
    from live.stack import docker, sleeper

    dev, name = live.of(f"{live.project}-dev"), f"{live.project}_the_data"
    for file, key in (("prod.json", "data"), ("dev.json", "files")):
        services = {"db": sleeper(volumes=[f"{key}:/data"])}
        live.compose(services, file=file, volumes={key: {"name": name}})
    (live.folder / "dartsctl.toml").write_text(SETTINGS.format(name=live.project))
    down = ("dev", "down", "--volumes", "--yes")
    assert live.run(*down).code == 0, "no such volume is there"
    docker("volume", "create", "--label", f"com.docker.compose.project={dev}", name)
    said = live.run(*down)
    assert said.code == 4
    assert f"would delete volume {name}, which production's files name too" in said.err
    assert f"to delete it: docker volume rm {name}" in said.err
    assert live.leftovers(dev) == [f"volume {name}"]
    (live.folder / "prod.json").write_text('{"services": 5}')
    said = live.run(*down)
    assert said.code == 0
    assert "warning: which volumes production has is not known: " in said.err
