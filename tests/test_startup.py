"""No command loads a library that it does not use.

Each command runs in its own interpreter, which prints the modules that it has loaded. Neither an
engine nor Compose is needed: a plugin prints a recorded model, and a socket answers as an engine.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fakes.machines import ANSWERS_VERSION, write_script
from own_ports import free_ports

pytestmark = pytest.mark.once

HEAVY = {
    "apprise",
    "asyncio",
    "dotenv",
    "http.client",
    "prompt_toolkit",
    "psutil",
    "pydantic",
    "python_on_whales",
    "questionary",
    "requests",
    "rich",
    "typer",
}
ELSEWHERE = (
    set() if sys.platform == "linux" else {"psutil", "subprocess", "threading"}
)  # the socket table and the processes of other systems are psutil's

SLOW = {
    "ast",
    "concurrent.futures",
    "dataclasses",
    "datetime",
    "hashlib",
    "inspect",
    "logging",
    "selectors",
    "shutil",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "tomllib",
    "typing",
}
"""Modules of Python that take milliseconds, and that no light command has a need of."""
UNNEEDED = SLOW | {"collections", "pathlib", "re"}
"""Those that a help has no need of."""

WRAPPER = """
import sys
from dartsctl.__main__ import answer
place, *words = sys.argv[1:]
code = answer(words)
with open(place, "w") as file:
    file.write("\\n".join(sys.modules))
raise SystemExit(code)
"""


@dataclass(frozen=True)
class Ran:
    code: int
    heavy: set[str]
    slow: set[str]
    modules: set[str]
    output: str


Start = Callable[..., Ran]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with a Compose file, and settings with free ports."""
    first = free_ports(5)[0]
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "compose.yml").write_text("services: {}\n")
    (folder / "dartsctl.toml").write_text(
        f'[ports]\ndev_range = "{first}-{first + 3}"\n[ports.production]\nweb = {first + 4}\n'
    )
    return folder


@pytest.fixture
def start(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """Return a function that runs a command line in `project`."""
    place = tmp_path / "modules"
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "src"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    for name in ("PORT", "FLASK_RUN_PORT", "FLASK_PORT", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)

    def run(*argv: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-c", WRAPPER, str(place), *argv],
            cwd=project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert place.exists(), done.stderr
        modules = set(place.read_text().split())
        return Ran(
            done.returncode,
            modules & HEAVY - ELSEWHERE,
            modules & SLOW - ELSEWHERE,
            modules,
            done.stdout + done.stderr,
        )

    return run


@pytest.fixture
def compose(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[int], None]:
    """Install a Compose plugin that resolves every project to one service on 127.0.0.1:PORT."""
    plugins = tmp_path / "docker" / "cli-plugins"
    plugins.mkdir(parents=True)
    monkeypatch.setenv("DOCKER_CONFIG", str(plugins.parent))

    def publish(port: int) -> None:
        entry = {
            "mode": "ingress",
            "target": 80,
            "published": str(port),
            "protocol": "tcp",
            "host_ip": "127.0.0.1",
        }
        service = {"image": "web", "ports": [entry], "networks": {"default": None}}
        model = {
            "name": project.name,
            "services": {"web": service},
            "networks": {"default": {"name": "web_default", "ipam": {}}},
        }
        (tmp_path / "model.json").write_text(json.dumps(model))
        write_script(
            plugins / "docker-compose", f"{ANSWERS_VERSION}\nexec cat '{tmp_path}/model.json'"
        )

    return publish


@pytest.fixture
def engine(tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start an engine 28 without containers."""
    with socketserver.ThreadingUnixStreamServer(
        str(tmp_path / "engine.sock"), EngineAnswers
    ) as server:
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine.sock")
        yield
        server.shutdown()


class EngineAnswers(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        words = self.rfile.readline().split()
        if words:  # else somebody only asked who listens
            body = b'{"Version": "28.5.2"}' if words[1] == b"/version" else b"[]"
            self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + body)


def test_version_is_answered_before_the_command_line_is_loaded(start: Start) -> None:
    ran = start("--version")
    assert (ran.code, ran.heavy) == (0, set())
    assert {name for name in ran.modules if name.startswith("dartsctl.")} == {"dartsctl.__main__"}


@pytest.mark.parametrize(
    "argv", [["--help"], ["dev", "--help"], ["run", "--help"], ["prod", "up", "--help"]]
)
def test_help_loads_nothing_but_what_reads_it(
    start: Start, argv: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ran = start(*argv)
    assert (ran.code, ran.heavy) == (0, set())
    assert {name for name in ran.modules if name.startswith("dartsctl.")} == {
        "dartsctl.__main__",
        "dartsctl.cli",
        "dartsctl.cli.baked_help",
        "dartsctl.cli.typed_words",
        "dartsctl.system",
        "dartsctl.system.collector",
        "dartsctl.system.interrupts",
    }
    assert ran.modules.isdisjoint(UNNEEDED)


def test_help_for_a_narrow_terminal_is_typers(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    ran = start("--help")
    assert (ran.code, ran.heavy) == (0, {"typer"})


def test_an_invalid_argument_loads_typer_alone(start: Start) -> None:
    ran = start("prot", "up")
    assert (ran.code, ran.heavy) == (2, {"typer"}), ran.output


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("form", [["--json"], []])
def test_check_without_a_conflict_loads_no_library(
    start: Start, compose: Callable[[int], None], form: list[str]
) -> None:
    compose(free_ports(1)[0])
    ran = start("check", *form, "-f", "compose.yml")
    assert (ran.code, ran.heavy) == (0, set()), ran.output
    assert ran.slow == set()


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("line", "loaded"), [("TAG=1", set()), ("TAG='1' # the first", {"dotenv"})]
)
def test_a_check_of_production_loads_only_what_reads_its_env_file(
    start: Start,
    compose: Callable[[int], None],
    project: Path,
    line: str,
    loaded: set[str],
) -> None:
    compose(free_ports(1)[0])
    (project / "compose.prod.yml").write_text("services: {}\n")
    (project / ".env.production").touch(0o600)
    (project / ".env.production").write_text(f"{line}\n")
    ran = start("prod", "check", "--json")
    assert (ran.code, ran.heavy) == (0, loaded), ran.output
    assert loaded or ran.slow == set()


@pytest.mark.usefixtures("engine")
def test_check_loads_no_library_to_describe_a_holder(
    start: Start, compose: Callable[[int], None]
) -> None:
    with socket.create_server(("127.0.0.1", free_ports(1)[0])) as squatter:
        compose(squatter.getsockname()[1])
        ran = start("check", "--json", "-f", "compose.yml")
    assert (ran.code, ran.heavy) == (3, set()), ran.output
    assert f'"pid": {os.getpid()}' in ran.output


@pytest.mark.usefixtures("engine")
def test_ports_loads_no_library_if_all_are_free(start: Start) -> None:
    ran = start("ports", "--json")
    assert (ran.code, ran.heavy) == (0, set()), ran.output
    assert ran.slow == set()


@pytest.mark.usefixtures("engine")
def test_ports_loads_no_rule_of_a_preflight_and_nothing_about_who_holds_a_lease(
    start: Start,
) -> None:
    ran = start("ports", "--json")
    unneeded = {
        "dartsctl.edges.engine.compose",
        "dartsctl.edges.engine.installation",
        "dartsctl.edges.reserve.ask",
        "dartsctl.edges.state.leases",
        "dartsctl.ports.conflicts",
        "dartsctl.ports.drift",
        "dartsctl.ports.lint",
        "dartsctl.ports.remapping",
        "dartsctl.ports.rivals",
        "dartsctl.stack.compose_model",
        "dartsctl.stack.model",
    }
    assert {name for name in unneeded if importlib.util.find_spec(name)} == unneeded
    assert unneeded & ran.modules == set()


def test_ports_loads_nothing_more_without_an_engine(start: Start) -> None:
    ran = start("ports", "--json")
    assert (ran.code, ran.heavy) == (0, set()), ran.output
    assert ran.slow == set()


def test_plain_settings_are_read_without_tomllib(start: Start, project: Path) -> None:
    assert "tomllib" not in start("ports", "--json").modules
    with (project / "dartsctl.toml").open("a") as settings:
        settings.write('"api" = [\n]\n')
    assert "tomllib" in start("ports", "--json").modules


def test_guard_loads_no_library(start: Start, project: Path) -> None:
    venv.create(project / ".venv", symlinks=True)
    for words in (["install"], ["status", "--json"], ["remove"]):
        ran = start("guard", *words)
        assert (ran.code, ran.heavy) == (0, set()), ran.output


def test_run_loads_no_library(start: Start) -> None:
    ran = start("run", "--", "true")
    assert (ran.code, ran.heavy) == (0, set()), ran.output


@pytest.mark.parametrize(
    ("line", "loaded"), [("GREETING=hello", set()), ("GREETING=${NAME:-hello}", {"dotenv"})]
)
def test_run_loads_dotenv_only_for_an_env_file_that_needs_it(
    start: Start, project: Path, line: str, loaded: set[str]
) -> None:
    (project / ".env").write_text(f"{line}\n")
    ran = start("run", "--", "true")
    assert (ran.code, ran.heavy) == (0, loaded), ran.output


def test_dev_url_and_list_load_no_library_without_a_server(start: Start) -> None:
    url, servers = start("dev", "url"), start("dev", "list", "--json")
    assert (url.code, url.heavy) == (1, set()), url.output
    assert url.slow == set()
    assert (servers.code, servers.heavy) == (0, set()), servers.output
    assert servers.slow == set()
    for ran in (url, servers):
        packages = {name.split(".")[1] for name in ran.modules if name.startswith("dartsctl.")}
        assert "spawn" not in packages
        assert {name for name in ran.modules if "edges.engine" in name or "edges.host" in name} == (
            set()
        )


def test_dev_url_list_and_stop_load_no_library_with_a_server(start: Start, project: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "dartsctl", "run", "--", "sleep", "60"],
        cwd=project,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with server:
        try:
            deadline = time.monotonic() + 20
            while (url := start("dev", "url")).code != 0 and time.monotonic() < deadline:
                continue
            servers, stopped = start("dev", "list", "--json"), start("dev", "stop")
        finally:
            server.terminate()
    assert (url.code, url.heavy) == (0, set()), url.output
    assert url.slow == set()
    assert (servers.code, servers.heavy) == (0, set()), servers.output
    assert (stopped.code, stopped.heavy) == (0, set()), stopped.output


def test_a_server_starts_without_what_only_a_stack_or_a_guard_needs(start: Start) -> None:
    ran = start("run", "--dry-run", "--", "true")
    assert ran.code == 0, ran.output
    unneeded = {
        "dartsctl.commands.guard",
        "dartsctl.commands.up",
        "dartsctl.edges.engine.unix",
        "dartsctl.edges.project.venvs",
        "dartsctl.ports.attribution",
        "dartsctl.ports.conflicts",
        "dartsctl.workflows.preflight.preflight",
    }
    assert {name for name in unneeded if importlib.util.find_spec(name)} == unneeded
    assert unneeded & ran.modules == set()
