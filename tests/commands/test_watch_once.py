"""`watch --once`, a second watch, and how a watch ends: real processes, a real engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)


@pytest.fixture
def inbox() -> Iterator[tuple[str, list[str]]]:
    """The URL of a receiver, and the titles of the messages that it has got."""
    titles: list[str] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            titles.append(json.loads(body)["title"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"json://127.0.0.1:{server.server_port}/", titles
        server.shutdown()
        thread.join()


def docker(live: LiveStack, *words: str) -> None:
    subprocess.run(["docker", *words], env=live.environ, check=True, capture_output=True)


def container_of(live: LiveStack, service: str) -> str:
    words = ["ps", "-aq", "--filter", f"label=com.docker.compose.project={live.project}"]
    done = subprocess.run(
        ["docker", *words, "--filter", f"label=com.docker.compose.service={service}"],
        env=live.environ, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.split()[0]


@pytest.mark.engine
def test_a_container_that_lost_its_ports_is_found_once_silenced_and_sent_once(
    live: LiveStack, inbox: tuple[str, list[str]]
) -> None:
    url, titles = inbox
    web = {
        "image": "dartsctl-test/busybox:1",
        "command": ["httpd", "-f", "-p", "80"],
        "init": True,
        "ports": [f"127.0.0.1:{live.ports[0]}:80"],
    }
    live.compose({"web": web})
    live.settings("settling_time = 0")
    before = live.run("watch", "--once", "--all")
    assert (before.code, before.out) == (0, "")
    assert "no environment of this project has containers" in before.err
    assert live.run("prod", "up").code == 0
    healthy = live.run("watch", "--once", "--all")
    assert (healthy.code, healthy.out) == (0, "prod: nothing is wrong\n")

    docker(live, "network", "disconnect", f"{live.project}_default", container_of(live, "web"))
    found = live.run("watch", "--once", "--all", "--json", "--within", "1s")
    assert found.code == 1, found.text
    (row,) = found.document["environments"]
    (finding,) = row["findings"]
    assert (row["environment"], finding["subject"]["name"]) == ("prod", "web")
    assert "web runs without its port" in finding["sentence"]
    for _ in range(2):
        assert live.run("watch", "--once", "--notify", url).code == 1
    assert len(titles) == 1, titles

    assert live.run("watch", "silence", "web", "--for", "1h").code == 0
    silenced = live.run("watch", "--once")
    assert silenced.code == 0
    assert "what is wrong is silenced" in silenced.out
    assert live.run("watch", "lift", "web").code == 0

    dry = live.run("watch", "--once", "--heal", "--dry-run")
    assert (dry.code, "healed" in dry.err) == (1, False), dry.text
    healed = live.run("watch", "--once", "--heal")
    assert (healed.code, healed.out) == (0, "prod: nothing is wrong\n"), healed.text
    assert "healed: recreate web" in healed.err
    for _ in range(2):
        assert live.run("watch", "--once", "--notify", url).code == 0
    assert len(titles) == 2, titles


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project on a machine whose engine does not run."""
    (tmp_path / "compose.yml").write_text("services: {web: {image: x}}\n")
    (tmp_path / "dartsctl.toml").write_text(
        'name = "no-engine"\n[prod]\nfiles = ["compose.yml"]\nenv_files = []\n'
    )
    return tmp_path


@contextmanager
def start(project: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Start a watch, which is killed at the end of the test, or if it says nothing for long."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dartsctl", "watch", *words],
        cwd=project,
        env={**os.environ, "DOCKER_HOST": f"unix://{project}/no-engine.sock"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    too_long = threading.Timer(200, process.kill)
    too_long.start()
    try:
        yield process
    finally:
        too_long.cancel()
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def line_with(process: subprocess.Popen[str], words: str) -> str:
    assert process.stdout is not None
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line)
        if words in line:
            return line
    raise AssertionError("".join(seen))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_the_second_watch_is_refused_and_the_first_ends_cleanly(
    project: Path, number: signal.Signals, code: int
) -> None:
    with start(project) as first:
        line_with(first, "watching prod")
        with start(project) as second:
            line = line_with(second, "another watch of no-engine runs already")
            assert f"(pid {first.pid}, since " in line
            assert second.wait() == 4
        with start(project, "--json", "status") as status:
            document: dict[str, Any] = json.loads(status.communicate()[0])
        assert document["watch"]["pid"] == first.pid
        first.send_signal(number)
        assert first.wait(timeout=60) == code


def test_sighup_reads_the_settings_again_and_a_broken_file_changes_nothing(project: Path) -> None:
    settings = project / "dartsctl.toml"
    good = settings.read_text()
    with start(project) as watch:
        line_with(watch, "a look every 15 s")
        settings.write_text(good + "[watch\n")
        watch.send_signal(signal.SIGHUP)
        assert "dartsctl.toml:5: " in line_with(watch, "the settings were not read again")
        settings.write_text(good + '[watch]\ninterval = "3m"\n')
        watch.send_signal(signal.SIGHUP)
        line_with(watch, "a look every 3 min")
        watch.terminate()
        assert watch.wait(timeout=60) == 0


def test_without_an_engine_a_single_look_ends_with_5(project: Path) -> None:
    with start(project, "--once", "--all", "--within", "1s") as once:
        line_with(once, "no Docker engine answers")
        assert once.wait() == 5
