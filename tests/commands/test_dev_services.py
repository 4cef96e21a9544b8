"""Where the server of `dev` and `run` finds its services, and what is said if it may not."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from own_ports import free_ports

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)

SHOW = """
import json, os
names = ("RABBITMQ_HOST", "RABBITMQ_PORT", "SELF", "MODE")
print(json.dumps({name: os.environ[name] for name in names if name in os.environ}))
"""
SERVER_ENV = """
[server.env]
RABBITMQ_HOST = "{rabbitmq.host}"
RABBITMQ_PORT = "{rabbitmq.port:5672}"
SELF = "{url}/callback"
MODE = "${MODE:-dev}"
"""
COMMAND = '[server]\ncommand = ["{python}", "show.py"]\n'


@dataclass
class App:
    """A project whose server prints its variables. No engine answers."""

    folder: Path
    first: int
    production: int

    def settings(self, *, dev: str = "files = []", server: str = "") -> None:
        (self.folder / "dartsctl.toml").write_text(
            f'name = "shop"\n[dev]\n{dev}\n[ports]\ndev_range = "{self.first}-{self.first + 3}"\n'
            f"[ports.production]\nrabbitmq = {self.production}\n{COMMAND}{server}{SERVER_ENV}"
        )

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "dartsctl", *words],
            cwd=self.folder,
            env={
                **os.environ,
                "DOCKER_HOST": f"unix://{self.folder}/no-engine.sock",
                "DARTSCTL_STATE_DIR": str(self.folder / "state"),
                **variables,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    for name in ("RABBITMQ_HOST", "RABBITMQ_PORT", "MODE", "SELF"):
        monkeypatch.delenv(name, raising=False)
    ports = free_ports(6)
    (tmp_path / "show.py").write_text(SHOW)
    app = App(tmp_path, ports[0], ports[5])
    app.settings()
    return app


def test_no_files_means_no_services_and_no_docker_is_asked_for(app: App) -> None:
    done = app.run("dev")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["MODE"] == "dev"
    assert "the services are off" not in done.stderr
    refused = app.run("dev", "up")
    assert refused.returncode == 2
    assert "error: dev has no services: dartsctl.toml:3: dev.files is empty\n" in refused.stderr


def test_the_env_files_of_dev_count_without_services_as_far_as_they_exist(app: App) -> None:
    app.settings(dev='files = []\nenv_files = ["gone.env", "app.env"]')
    (app.folder / "app.env").write_text(f"MODE=own\nPORT={app.production}\n")
    done = app.run("dev")
    assert json.loads(done.stdout)["MODE"] == "own"
    told = f"PORT={app.production} in app.env:2 is a production port: using "
    assert told in done.stderr
    app.settings(
        dev='files = []\nenv_files = ["app.env"]',
        server='port_variables = ["PORT", "FLASK_PORT"]\n',
    )
    done = app.run("dev")
    assert (done.returncode, told in done.stderr) == (0, False)


@pytest.mark.parametrize("words", [("dev", "--no-services"), ("run", "--", "{python}", "show.py")])
def test_a_variable_without_a_running_service_is_not_set_and_productions_port_is_named(
    app: App, words: tuple[str, ...]
) -> None:
    done = app.run(*words)
    variables = json.loads(done.stdout)
    assert variables.keys() == {"SELF", "MODE"}
    assert variables["SELF"].endswith("/callback")
    (warning,) = [line for line in done.stderr.splitlines() if "not set" in line]
    assert warning.startswith(
        "warning: RABBITMQ_HOST, RABBITMQ_PORT not set: rabbitmq of shop-dev may or may not run ("
    )
    assert warning.endswith(
        "); the app's own default applies; "
        f"on this host, port {app.production} belongs to production's rabbitmq (dartsctl.toml:7)"
    )


@pytest.mark.parametrize("is_in_use", [True, False])
def test_without_services_it_is_said_what_of_production_the_app_will_look_at(
    app: App, is_in_use: bool
) -> None:
    (app.folder / ".env").write_text(
        f"RABBITMQ_HOST=localhost\nRABBITMQ_PORT={app.production}\n"
        "DATABASE_URL=postgresql://darts:geheim@db.example.org/darts\n"
    )
    with socket.socket() as listener:
        if is_in_use:
            listener.bind(("127.0.0.1", app.production))
            listener.listen()
        done = app.run("dev", "--no-services")
    assert json.loads(done.stdout)["RABBITMQ_PORT"] == str(app.production)
    assert (
        "the dev services are not started; the app will look at DATABASE_URL=postgresql://"
        f"db.example.org:5432, RABBITMQ_HOST=localhost:{app.production}\n"
    ) in done.stderr
    now = "it is in use now" if is_in_use else "nothing listens there now"
    assert (
        f"warning: RABBITMQ_HOST=localhost:{app.production}: on this host, port {app.production} "
        f"belongs to production's rabbitmq (dartsctl.toml:7); {now}\n"
    ) in done.stderr
    assert "geheim" not in done.stderr


def test_the_apps_own_env_file_counts_too(app: App) -> None:
    app.settings(server='directory = "src"\n')
    (app.folder / "src").mkdir()
    (app.folder / "show.py").rename(app.folder / "src" / "show.py")
    (app.folder / "src" / ".env").write_text(
        f"RABBITMQ_HOST=127.0.0.1\nRABBITMQ_PORT={app.production}\n"
    )
    done = app.run("dev")
    assert "RABBITMQ_PORT" not in json.loads(done.stdout), "the app reads it itself"
    assert f"the app will look at RABBITMQ_HOST=127.0.0.1:{app.production}\n" in done.stderr
    assert "not set" not in done.stderr


def test_in_a_container_the_port_of_the_env_file_is_the_apps_own(app: App) -> None:
    app.settings(dev='files = ["compose.yml"]', server='replaces = ["app"]\n')
    (app.folder / "compose.yml").write_text("services: {app: {image: app}}\n")
    (app.folder / ".env").write_text(f"FLASK_PORT={app.production}\n")
    done = app.run("dev", "--dry-run", "--in-docker")
    assert (done.returncode, "production port" in done.stderr) == (0, False)
    done = app.run("dev", "--dry-run")
    assert (
        f"FLASK_PORT={app.production} in .env:1 is a production port: using a free port of "
        in done.stderr
    )


def test_a_port_of_the_default_list_is_told_by_who_reserves_it(app: App) -> None:
    settings = app.folder / "dartsctl.toml"
    documented = f"[ports.production]\nrabbitmq = {app.production}\n"
    settings.write_text(settings.read_text().replace(documented, ""))
    done = app.run("dev")
    assert (
        "the app's own default applies; on this host, port 5672 is reserved for production by "
        "dartsctl's default list\n"
    ) in done.stderr


def test_defaults_of_the_app_may_lead_to_what_listens_on_a_production_port(app: App) -> None:
    with socket.create_server(("127.0.0.1", app.production)):
        done = app.run("dev", "--no-services")
    assert f"production's ports in use on this host: {app.production} (rabbitmq)" in done.stderr
    app.settings(server='replaces = ["rabbitmq"]\n')
    with socket.create_server(("127.0.0.1", app.production)):
        done = app.run("dev", "--no-services")
    assert "in use on this host" not in done.stderr


def test_optional_services_whose_files_are_missing_are_reported_once(app: App) -> None:
    app.settings(dev="", server='services = "optional"\n')
    done = app.run("dev")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("warning: the services are off: no Compose file for dev in") == 1
    app.settings(dev="")
    assert app.run("dev").returncode == 2


# --- the checkout's virtual environment --------------------------------------------------------


@pytest.fixture
def tool(app: App) -> Callable[[Path, str], Path]:
    """A function that creates a program which prints its own path."""

    def create(folder: Path, name: str) -> Path:
        program = folder / "bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text('#!/bin/sh\necho "$0"\n')
        program.chmod(0o755)
        return program

    return create


@pytest.mark.parametrize("on_path", [True, False])
def test_a_program_of_the_checkouts_environment_is_used_and_said(
    app: App, tool: Callable[[Path, str], Path], on_path: bool
) -> None:
    own = tool(app.folder / ".venv", "served")
    path = os.environ["PATH"]
    where = "served is not on PATH"
    if on_path:
        other = tool(app.folder / "other", "served")
        path = f"{other.parent}{os.pathsep}{path}"
        where = f"PATH has {other}"
    done = app.run("run", "--", "served", PATH=path)
    assert done.stdout == f"{own}\n"
    assert done.stderr.count(f"using {own} ({where})\n") == 1


def test_an_active_environment_a_path_and_other_programs_are_left_alone(
    app: App, tool: Callable[[Path, str], Path]
) -> None:
    own = tool(app.folder / ".venv", "served")
    active = f"{own.parent}{os.pathsep}{os.environ['PATH']}"
    for words in (("served",), (str(own),), ("sh", "-c", "echo")):
        done = app.run("run", "--", *words, PATH=active)
        assert "using " not in done.stderr


def test_the_command_of_the_settings_finds_it_too(
    app: App, tool: Callable[[Path, str], Path]
) -> None:
    own = tool(app.folder / "venv", "served")
    settings = app.folder / "dartsctl.toml"
    settings.write_text(settings.read_text().replace('"{python}", "show.py"', '"served"'))
    assert app.run("dev").stdout == f"{own}\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_another_users_environment_is_not_run(app: App, tool: Callable[[Path, str], Path]) -> None:
    own = tool(app.folder / ".venv", "served")
    config = app.folder / ".venv" / "pyvenv.cfg"
    config.touch()
    os.chown(config, 4711, 4711)
    done = app.run("run", "--", "served")
    assert (done.returncode, done.stdout) == (1, ""), own
    assert "error: cannot run served: No such file or directory" in done.stderr


# --- with an engine ----------------------------------------------------------------------------


@pytest.mark.engine
def test_run_and_no_services_use_what_runs_and_a_conflict_is_no_end_if_optional(
    live: LiveStack,
) -> None:
    from live.stack import sleeper

    live.compose({"rabbitmq": sleeper(f"127.0.0.1:{live.ports[0]}:5672")})
    (live.folder / "show.py").write_text(SHOW)
    first = free_ports(4)[0]
    live.settings(
        f'on_conflict = "fail"\n[ports]\ndev_range = "{first}-{first + 3}"\n'
        f'[ports.production]\nrabbitmq = {live.ports[0]}\n{COMMAND}services = "optional"\n'
        f"{SERVER_ENV}",
        environment="dev",
    )
    assert live.run("dev", "up").code == 0
    for words in (("run", "--", "{python}", "show.py"), ("dev", "--no-services")):
        said = live.run(*words)
        variables = json.loads(said.out.splitlines()[-1])
        assert variables["RABBITMQ_HOST"] == "127.0.0.1"
        assert variables["RABBITMQ_PORT"] == str(live.ports[0])
        assert "not set" not in said.err
    assert "production's rabbitmq" not in said.err, "it is the dev stack that has the port"
    assert live.run("dev", "down").code == 0
    holder = live.listen(live.ports[0])
    said = live.run("dev")
    assert said.code == 0, said.err
    assert said.err.count("the services are off: ") == 1
    assert f"(pid {holder}" in said.err, "the holder is named"
    assert f"port {live.ports[0]} belongs to production's rabbitmq" in said.err
    settings = live.folder / "dartsctl.toml"
    settings.write_text(settings.read_text().replace('services = "optional"', ""))
    assert live.run("dev").code == 3
