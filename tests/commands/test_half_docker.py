"""Every verb with an incomplete Docker: exit code 5, what is missing, how to install it.

`dev` continues if its services are optional.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.machines import NO_PLUGIN, PODMAN, Machine, write_script
from own_ports import free_ports

MACHINES: dict[str, tuple[Callable[[Machine], object], str]] = {
    "nothing": (lambda _: None, "Docker is not installed"),
    "docker alone": (
        lambda machine: machine.program("docker", NO_PLUGIN),
        "Docker's Compose plugin is missing",
    ),
    "v1": (
        lambda machine: (
            machine.program("docker", NO_PLUGIN),
            machine.program("docker-compose", "echo 1.29.2"),
        ),
        "only Compose v1 is installed",
    ),
    "old": (lambda machine: write_script(machine.plugin, "echo 2.20.3"), "Compose 2.20.3"),
    "a folder": (lambda machine: machine.plugin.mkdir(parents=True), "is a folder"),
    "no interpreter": (
        lambda machine: write_script(machine.plugin, "", interpreter="/no/such"),
        "its interpreter is missing",
    ),
    "broken docker": (
        lambda machine: machine.program("docker", "exec no-such-program"),
        "exit code 127",
    ),
    "garbage": (lambda machine: machine.program("docker", "echo hello"), "printed 'hello'"),
    "podman": (
        lambda machine: machine.program("docker", PODMAN),
        "is Podman, which has no Compose",
    ),
}
COMPOSE_VERBS = [
    "check -f compose.json",
    "prod check",
    "prod up",
    "prod down",
    "prod config",
    "prod logs",
    "prod restart",
    "dev up",
    "dev check",
]
SERVER = "[server]\ncommand = ['{python}', '-c', 'print(\"the server ran\")']\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one service, and a server that ends at once."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "compose.json").write_text(
        json.dumps({"services": {"web": {"image": "dartsctl-test/busybox:1"}}})
    )
    first = free_ports(4)[0]
    tables = "".join(
        f'[{name}]\nfiles = ["compose.json"]\nproject = "half-{name}"\nenv_files = []\n'
        for name in ("dev", "prod")
    )
    (folder / "dartsctl.toml").write_text(
        f'{tables}[ports]\ndev_range = "{first}-{first + 3}"\n{SERVER}services = "optional"\n'
    )
    return folder


def dartsctl(
    project: Path, machine: Machine, words: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run `dartsctl WORDS` on that machine, and check that there is no traceback."""
    environ = {
        **machine.environ,
        "DARTSCTL_STATE_DIR": os.environ["DARTSCTL_STATE_DIR"],
        **variables,
    }
    argv = [sys.executable, "-m", "dartsctl", *words.split()]
    done = subprocess.run(
        argv,
        cwd=project,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode != 70, done.stderr
    return done


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        *(("docker alone", words) for words in COMPOSE_VERBS),
        *((kind, "prod check") for kind in MACHINES),
    ],
)
def test_without_a_usable_compose_the_error_says_what_is_missing(
    project: Path, machine: Machine, kind: str, words: str
) -> None:
    make, sentence = MACHINES[kind]
    make(machine)
    done = dartsctl(project, machine, words)
    assert done.returncode == 5, done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert sentence in errors[0]
    assert "next: " in done.stderr


@pytest.mark.parametrize("words", ["prod ps", "doctor", "doctor --json"])
def test_verbs_that_need_the_engine_report_that_it_is_missing(
    project: Path, machine: Machine, words: str
) -> None:
    machine.program("docker", NO_PLUGIN)
    done = dartsctl(project, machine, words)
    assert done.returncode == 5, done.stderr
    assert "no Docker engine answers" in done.stdout + done.stderr


@pytest.mark.parametrize("kind", MACHINES)
def test_dev_continues_without_optional_services_and_warns_once(
    project: Path, machine: Machine, kind: str
) -> None:
    make, sentence = MACHINES[kind]
    make(machine)
    done = dartsctl(project, machine, "dev")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "the server ran\n"
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1, done.stderr
    assert "the services are off" in warnings[0]
    assert sentence in warnings[0]


def test_dev_continues_without_an_engine(project: Path, machine: Machine) -> None:
    write_script(
        machine.plugin,
        f"case \"$*\" in *version*) echo 2.40.3 ;; *) cat '{project}/model.json' ;; esac",
    )
    model = {"name": "half-dev", "services": {"web": {"image": "web"}}, "networks": {}}
    (project / "model.json").write_text(json.dumps(model))
    done = dartsctl(project, machine, "dev", PATH="/usr/bin:/bin")
    assert done.returncode == 0, done.stderr
    assert "the services are off: no Docker engine answers" in done.stderr


@pytest.mark.parametrize(
    ("address", "docker"),
    [
        *(
            (address, NO_PLUGIN)
            for address in (
                "ssh://nobody@127.0.0.1:1",
                "npipe:////./pipe/docker_engine",
                "nonsense",
                "foo://bar",
                "unix://",
            )
        ),
        *(
            ("tcp://127.0.0.1:1", docker)
            for docker in (None, NO_PLUGIN, "echo hello", "exec no-such-program")
        ),
    ],
)
def test_an_address_without_an_engine_is_exit_5(
    project: Path, machine: Machine, address: str, docker: str | None
) -> None:
    if docker is not None:
        machine.program("docker", docker)
    done = dartsctl(project, machine, "prod ps", DOCKER_HOST=address)
    assert done.returncode == 5, done.stderr
    assert "error: " in done.stderr


def test_a_remote_engine_needs_the_docker_command(project: Path, machine: Machine) -> None:
    done = dartsctl(project, machine, "prod ps", DOCKER_HOST="tcp://127.0.0.1:1")
    assert "the docker command is not installed" in done.stderr


@pytest.mark.parametrize(
    "words", ["prod ps", "prod ps --json", "prod check", "doctor", "doctor --json", "ports", "dev"]
)
def test_the_password_of_an_engines_address_is_never_shown(
    project: Path, machine: Machine, words: str
) -> None:
    machine.program("docker", 'echo "cannot reach $DOCKER_HOST $*" >&2; exit 1')
    done = dartsctl(project, machine, words, DOCKER_HOST="tcp://user:canary@127.0.0.1:1")
    assert "canary" not in done.stdout + done.stderr


def test_an_unknown_context_is_exit_5(project: Path, machine: Machine) -> None:
    done = dartsctl(project, machine, "prod ps", DOCKER_HOST="", DOCKER_CONTEXT="gone")
    assert done.returncode == 5
    assert "the Docker context 'gone' does not exist" in done.stderr
