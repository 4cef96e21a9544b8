"""After `up` and `restart`: a container that lost something is recreated once.

A crash loop is not ready, and a problem is shown with its log.

Engines 29.1 and 29.2 report Running for a container without bound ports (moby#51758). Such an
engine cannot be run here. For those cases a socket answers as it would, with answers recorded from
28.5 and the fault added as the issue describes it, and a script replaces Compose. Everything else
is done on the real engine.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fakes.machines import write_script

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)

ID = "c0ffee" + "0" * 58
BIND_ERROR = (
    "failed to set up container networking:"
    " driver failed programming external connectivity on endpoint demo-web-1 ("
    + "a" * 64
    + "): failed to bind host port 127.0.0.1:5000/tcp: address already in use"
)


# --- engines that say Running and have bound nothing -------------------------------------------


@dataclass
class RecordedEngine:
    """An engine with one container, described by `state.json`, and a Compose that changes it.

    `recreated` is the state after --force-recreate.
    """

    folder: Path

    def now(
        self, *, ports: bool = True, network: bool = True, state: str = "running", error: str = ""
    ) -> dict[str, Any]:
        """Return one state of the container, as the list and inspect show it."""
        status = {"running": "Up 30 seconds", "created": "Created"}[state]
        networks = (
            {
                "demo_default": {
                    "EndpointID": "ab" if network else "",
                    "IPAddress": "172.18.0.2" if network else "",
                }
            }
            if network
            else {}
        )
        published = (
            [{"IP": "127.0.0.1", "PrivatePort": 80, "PublicPort": 5000, "Type": "tcp"}]
            if ports
            else []
        )
        labels = {
            "com.docker.compose.project": "demo",
            "com.docker.compose.service": "web",
            "com.docker.compose.config-hash": "abc",
            "com.docker.compose.container-number": "1",
            "com.docker.compose.project.config_files": str(self.folder / "compose.yml"),
        }
        row = {
            "Id": ID,
            "Names": ["/demo-web-1"],
            "Image": "web",
            "State": state,
            "Status": status,
            "Ports": published,
            "Labels": labels,
        }
        inspected = {
            "Id": ID,
            "State": {
                "Status": state,
                "Running": state == "running",
                "ExitCode": 128 if error else 0,
                "Error": error,
            },
            "RestartCount": 0,
            "HostConfig": {"NetworkMode": "demo_default"},
            "NetworkSettings": {"Networks": networks},
        }
        return {"row": {**row, "HostConfig": {"NetworkMode": "demo_default"}}, "inspect": inspected}

    def begin(
        self, now: dict[str, Any], recreated: dict[str, Any], *, says: str = "", code: int = 0
    ) -> None:
        (self.folder / "state.json").write_text(json.dumps(now))
        (self.folder / "recreated.json").write_text(json.dumps(recreated))
        (self.folder / "says").write_text(says)
        (self.folder / "code").write_text(str(code))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "dartsctl", *words]
        return subprocess.run(
            command,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def recreations(self) -> list[str]:
        with suppress(FileNotFoundError):
            return [
                line
                for line in (self.folder / "calls").read_text().splitlines()
                if "--force-recreate" in line
            ]
        return []


PLUGIN = """cd '{folder}'
echo "$*" >> calls
case "$*" in
  *version*) echo 2.40.3 ;;
  *"config --format"*) cat model.json ;;
  *"config --hash"*) echo "web abc" ;;
  *"config --services"*) echo web ;;
  *--force-recreate*) cp recreated.json state.json; cat says; exit $(cat code) ;;
esac
"""


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordedEngine]:
    """A project with one service on 127.0.0.1:5000, on an engine that is not on this host.

    This host's sockets do not matter for it.
    """
    folder = tmp_path / "demo"
    folder.mkdir()
    entry = {
        "mode": "ingress",
        "target": 80,
        "published": "5000",
        "protocol": "tcp",
        "host_ip": "127.0.0.1",
    }
    service = {
        "image": "web",
        "ports": [entry],
        "networks": {"default": None},
        "environment": {"API_TOKEN": "canary-in-the-file"},
    }
    model = {
        "name": "demo",
        "services": {"web": service},
        "networks": {"default": {"name": "demo_default", "ipam": {}}},
    }
    (folder / "model.json").write_text(json.dumps(model))
    (folder / "compose.yml").write_text("services: {}\n")
    (folder / "secret.env").write_text("PASSWORD=canary-password\n")
    (folder / "secret.env").chmod(0o600)
    (folder / "dartsctl.toml").write_text(
        'name = "demo"\n[prod]\nproject = "demo"\nfiles = ["compose.yml"]\n'
        'env_files = ["secret.env"]\nwait_timeout = 5\n'
    )
    write_script(folder / "cli-plugins" / "docker-compose", PLUGIN.format(folder=folder))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine.sock")
    with socketserver.ThreadingUnixStreamServer(
        str(tmp_path / "engine.sock"), _answers(folder)
    ) as server:
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        yield RecordedEngine(folder)
        server.shutdown()


def _answers(folder: Path) -> type[socketserver.StreamRequestHandler]:
    class Answers(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            words = self.rfile.readline().split()
            if len(words) < 2:
                return  # a client that only checked whether somebody listens
            path = words[1].decode()
            state = json.loads((folder / "state.json").read_text())
            body: object = {"message": "no such thing"}
            if path == "/version":
                body = {"Version": "29.1.0", "Platform": {"Name": "Docker Desktop 4.50"}}
            elif path.startswith("/containers/json"):
                body = [state["row"]]
            elif "/logs" in path:
                body = None
            elif path.startswith("/containers/"):
                body = state["inspect"]
            elif path.startswith("/networks/"):
                body = {"Name": "demo_default", "Driver": "bridge"}
            text = (
                b"starting\nusing canary-password and canary-in-the-file\n"
                if body is None
                else json.dumps(body).encode()
            )
            self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + text)

    return Answers


@pytest.mark.parametrize("verb", ["up", "restart"])
@pytest.mark.parametrize(
    "lost",
    [{"ports": False}, {"network": False}, {"ports": False, "network": False}],
    ids=["ports", "network", "both"],
)
def test_a_running_container_without_ports_or_networks_is_recreated_once(
    recorded: RecordedEngine, lost: dict[str, bool], verb: str
) -> None:  # edge-cases.md#33
    recorded.begin(
        recorded.now(ports=lost.get("ports", True), network=lost.get("network", True)),
        recorded.now(),
    )
    done = recorded.run("prod", verb)
    assert done.returncode == 0, done.stderr
    assert (
        "runs without its port 127.0.0.1:5000/tcp: the engine has not bound it" in done.stderr
    ) is ("ports" in lost)
    assert ("web runs without a network" in done.stderr) is ("network" in lost)
    assert "recreating web" in done.stderr
    recreations = [call[call.index("up ") :] for call in recorded.recreations]
    assert recreations == ["up --detach --no-deps --force-recreate web"]
    assert "demo is up: 1 container ready" in done.stderr


def test_json_says_what_was_recreated(recorded: RecordedEngine) -> None:
    recorded.begin(recorded.now(ports=False), recorded.now())
    document = json.loads(recorded.run("prod", "up", "--json").stdout)
    assert (document["ok"], document["exit_code"], document["recreated"]) == (True, 0, ["web"])
    assert (document["missing_bindings"], document["without_network"]) == ([], [])


def test_what_is_still_missing_afterwards_is_exit_6(recorded: RecordedEngine) -> None:
    broken = recorded.now(ports=False, network=False)
    recorded.begin(broken, broken)
    done = recorded.run("prod", "up")
    assert done.returncode == 6
    assert len(recorded.recreations) == 1, "once, not again and again"
    assert "last log lines of demo-web-1:" in done.stderr
    assert done.stderr.rstrip().endswith("dartsctl prod logs web")

    document = json.loads(recorded.run("prod", "up", "--json").stdout)
    assert (document["ok"], document["exit_code"], document["recreated"]) == (False, 6, ["web"])
    assert [
        (item["service"], item["port"], item["reason"]) for item in document["missing_bindings"]
    ] == [("web", 5000, "not-listed")]
    assert document["without_network"] == ["demo-web-1"]
    assert document["services"][0]["log"] == ["starting", "using *** and ***"]


def test_a_failed_recreation_is_reported_in_plain_and_engine_words_without_a_secret(
    recorded: RecordedEngine,
) -> None:  # edge-cases.md#32
    line = f"Error response from daemon: {BIND_ERROR} canary-password\n"
    after = recorded.now(ports=False, state="created", error=f"{BIND_ERROR} canary-password")
    recorded.begin(recorded.now(ports=False), after, says=line, code=1)
    done = recorded.run("prod", "up")
    assert done.returncode == 6
    assert (
        "web could not be recreated: the port is in use on this host (127.0.0.1:5000/tcp)"
        in done.stderr
    )
    assert (
        "web is failed: Created (the port is in use on this host (127.0.0.1:5000/tcp))"
        in done.stderr
    )
    assert "canary" not in done.stdout + done.stderr

    recorded.begin(recorded.now(ports=False), after, says=line, code=1)
    done = recorded.run("prod", "up", "--json")
    service = json.loads(done.stdout)["services"][0]
    assert (service["condition"], service["error"]) == (
        "failed",
        "the port is in use on this host (127.0.0.1:5000/tcp)",
    )
    assert service["engine_error"] == f"{BIND_ERROR} ***"
    assert "canary" not in done.stdout + done.stderr


def test_a_container_that_has_everything_is_left_alone(recorded: RecordedEngine) -> None:
    recorded.begin(recorded.now(), recorded.now(ports=False))
    assert recorded.run("prod", "up").returncode == 0
    assert recorded.recreations == []


# --- the real engine ---------------------------------------------------------------------------


def proxy_of(port: int) -> int | None:
    """Return the engine's forwarder of one port of this test's container."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                words = (folder / "cmdline").read_bytes().split(b"\0")
                if (
                    words[0].endswith(b"docker-proxy")
                    and b"-host-port" in words
                    and words[words.index(b"-host-port") + 1] == str(port).encode()
                ):
                    return int(folder.name)
    return None


def kill_proxy(port: int) -> None:
    from live.stack import can_be_published, until

    pid = proxy_of(port)
    if pid is None or os.geteuid() != 0:
        pytest.skip("the engine's forwarder of this port is not ours to see")
    os.kill(pid, signal.SIGKILL)
    until(lambda: proxy_of(port) is None and can_be_published(port))


@pytest.mark.engine
def test_a_port_that_nobody_serves_any_more_is_served_again_after_the_next_up(
    live: LiveStack,
) -> None:  # edge-cases.md#31
    from live.stack import sleeper, until

    port = live.ports[0]
    live.compose(
        {"web": sleeper(f"127.0.0.1:{port}:80"), "db": sleeper(f"127.0.0.1:{live.ports[1]}:80")}
    )
    live.settings()
    assert live.run("prod", "up").code == 0
    before = live.identities()
    kill_proxy(port)
    result = live.run("prod", "up", "--json")
    assert (result.code, result.document["recreated"]) == (0, ["web"]), result.text
    assert "the engine lists it, and nothing listens there" in result.err
    assert len(before & live.identities()) == 1, "db is not touched"

    # Another process has the port by now: recreating fails, and that is reported.
    kill_proxy(port)
    pid = until(lambda: live.listen(port))
    result = live.run("prod", "up")
    assert result.code == 6, result.text
    assert f"the engine lists it, and pid {pid} listens there" in result.err
    assert (
        f"web could not be recreated: the port is in use on this host (127.0.0.1:{port}/tcp)"
        in result.err
    )


@pytest.mark.engine
@pytest.mark.parametrize("verb", ["up", "restart"])
def test_a_crash_loop_without_a_health_check_is_never_ready(
    live: LiveStack, verb: str
) -> None:  # edge-cases.md#75
    from live.stack import sleeper

    (live.folder / "secret.env").write_text("WHO_TOKEN=canary-customer\n")
    (live.folder / "secret.env").chmod(0o600)
    crash = sleeper(
        command=[
            "sh",
            "-c",
            "test -e /well && sleep 600; echo no database for $${WHO_TOKEN}; exit 3",
        ],
        restart="always",
        environment=["WHO_TOKEN=${WHO_TOKEN}"],
    )
    live.compose({"web": crash, "db": sleeper()})
    live.settings('env_files = ["secret.env"]')
    if verb == "restart":
        live.up("--env-file", "secret.env", "-f", "compose.json")
    words = ("prod", verb, "web", "--wait-timeout", "5")
    result = live.run(*words, DARTSCTL_SETTLING_TIME="5")  # the engine may notice an end late
    assert result.code == 6, result.text
    # if the deadline passes between two starts, it has just exited with its code
    assert re.search(
        r"web is ((starting|failed): .*restarted \d+ times?|failed: .*\b3\b)", result.err
    ), result.err
    assert "no database for ***" in result.err
    assert "canary" not in result.text


@pytest.mark.engine
def test_an_unhealthy_service_is_reported_with_its_health_check_output_and_log(
    live: LiveStack,
) -> None:  # edge-cases.md#73
    from live.stack import healthy

    web = healthy(after="echo connection to queue refused; false")
    live.compose({"web": {**web, "command": ["sh", "-c", "echo listening; exec sleep 600"]}})
    live.settings()
    result = live.run("prod", "up", "--json")
    service = result.document["services"][0]
    assert (result.code, service["condition"]) == (6, "unhealthy")
    assert service["error"] == "its health check reports: connection to queue refused"
    assert service["log"] == ["listening"]


@pytest.mark.engine
def test_an_unreadable_log_hides_nothing_else(
    live: LiveStack,
) -> None:  # edge-cases.md#78
    from live.stack import healthy

    live.compose({"web": healthy(after="false", logging={"driver": "none"})})
    live.settings()
    result = live.run("prod", "up", "--json")
    assert (result.code, result.document["services"][0]["log"]) == (6, [])


@pytest.mark.engine
def test_a_service_with_a_health_check_does_not_have_to_settle(live: LiveStack) -> None:
    from live.stack import healthy

    live.compose({"web": healthy(f"{live.ports[0]}:80"), "db": healthy()})
    live.settings()
    live.up()
    result = live.run("prod", "up", "--wait-timeout", "60", DARTSCTL_SETTLING_TIME="600")
    assert result.code == 0, result.text


# --- undo --------------------------------------------------------------------------------------


@pytest.mark.engine
def test_a_failed_up_shows_what_it_removed_and_what_it_left_and_why(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"db": sleeper(), "old": sleeper()})
    live.settings()
    assert live.run("prod", "up").code == 0
    live.compose(
        {
            "db": sleeper(),
            "old": sleeper(command=["/no/such/program"], init=False),
            "web": sleeper(networks=["second"]),
        },
        networks={"second": {}},
    )
    result = live.run("prod", "up")
    assert result.code == 1
    rows = [re.split(r"  +", line.strip()) for line in result.out.splitlines()]
    made, kept, replaced = f"{live.project}-web-1", f"{live.project}-db-1", f"{live.project}-old-1"
    by_name = {row[1]: row for row in rows[1:]}
    assert rows[0] == ["NAME", "STATE", "WHY"]
    assert by_name[made][3:] == ["removed", "created by this `up`"]
    assert by_name[kept][2:] == ["running", "left", "existed before"]
    assert by_name[replaced][2:] == [
        "created",
        "left",
        "replaced a container that is gone; its error says why",
    ]
    assert by_name[f"{live.project}_second"][3:] == ["removed", "created by this `up`"]
    assert by_name[f"{live.project}_default"][3:] == ["left", "existed before"]
    assert set(live.containers()) == {kept, replaced}


@pytest.mark.engine
def test_the_undo_is_in_the_errors_document_too(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose(
        {
            "web": sleeper(command=["/no/such/program"], init=False),
            "data": sleeper(volumes=["kept:/data"]),
        },
        volumes={"kept": {}},
    )
    live.settings()
    result = live.run("prod", "up", "--json")
    assert result.code == 1
    assert (
        f"removed container {live.project}-web-1 (created): created by this `up`"
        in result.document["details"]
    )
    assert (
        f"removed network {live.project}_default: created by this `up`"
        in result.document["details"]
    )
    assert live.leftovers() == [f"volume {live.project}_kept"], "never a volume"

    live.listen(live.ports[0])
    live.compose({"web": sleeper(f"{live.ports[0]}:80")})
    result = live.run("prod", "up", "--json", "--skip-port-check")
    assert (result.code, result.document["exit_code"]) == (3, 3)
    assert (
        f"removed container {live.project}-web-1 (created): created by this `up`"
        in result.document["undone"]
    )
