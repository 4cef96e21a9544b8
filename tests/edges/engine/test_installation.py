"""Docker on this machine: which Compose is used, and the errors if there is none."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import socket
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dartsctl.edges.engine.address import endpoint
from dartsctl.edges.engine.installation import (
    ComposeProgram,
    NothingKnown,
    find_compose,
    no_engine,
)
from dartsctl.errors import DockerUnavailable, TimedOut
from dartsctl.text.masker import Masker
from fakes.machines import NO_PLUGIN, PODMAN, Machine, write_script


class Known:
    """KnownVersions that record what they keep."""

    def __init__(self, version: str = "") -> None:
        self.version = version
        self.kept: list[tuple[Path, str]] = []

    def version_of(self, _program: Path) -> str:
        return self.version

    def keep(self, program: Path, version: str) -> None:
        self.kept.append((program, version))


def refusal(machine: Machine, **variables: str) -> DockerUnavailable:
    """Return the error of a machine without a usable Compose."""
    with pytest.raises(DockerUnavailable) as caught:
        find_compose({**machine.environ, **variables}, NothingKnown())
    return caught.value


# --- which Compose ---


def test_the_plugin_is_started_directly_and_its_version_is_kept(machine: Machine) -> None:
    write_script(machine.plugin, "echo v2.40.3-desktop.1")
    machine.program("docker", "echo never asked; exit 1")
    known = Known()
    assert find_compose(machine.environ, known) == ComposeProgram((str(machine.plugin),), "2.40.3")
    assert known.kept == [(machine.plugin, "2.40.3")]


def test_no_process_is_started_if_the_version_is_known(machine: Machine) -> None:
    write_script(machine.plugin, f"echo asked >> {machine.folder}/asked; echo 2.40.3")
    assert find_compose(machine.environ, Known("2.40.3")).version == "2.40.3"
    assert not (machine.folder / "asked").exists()


def test_docker_is_asked_if_the_plugin_is_in_no_known_folder(machine: Machine) -> None:
    docker = machine.program("docker", 'test "$1" = compose && echo 2.29.7')
    assert find_compose(machine.environ, NothingKnown()) == ComposeProgram(
        (str(docker), "compose"), "2.29.7"
    )


def test_a_plugin_in_a_folder_that_dockers_settings_name_is_found(machine: Machine) -> None:
    plugin = write_script(machine.folder / "extra" / "docker-compose", "echo 2.29.7")
    (machine.folder / "docker" / "config.json").write_text(
        json.dumps({"cliPluginsExtraDirs": [str(plugin.parent)]})
    )
    assert find_compose(machine.environ, NothingKnown()).command == (str(plugin),)


@pytest.mark.parametrize("plugin", ["echo 2.20.3", "exit 127", None], ids=["old", "broken", "none"])
def test_the_standalone_compose_is_used_if_the_plugin_is_unusable(
    machine: Machine, plugin: str | None
) -> None:
    if plugin is not None:
        write_script(machine.plugin, plugin)
    machine.program("docker", NO_PLUGIN)
    standalone = machine.program("docker-compose", "echo 2.26.1-4")  # Debian 13 packages it so
    assert find_compose(machine.environ, NothingKnown()) == ComposeProgram(
        (str(standalone),), "2.26.1"
    )


@pytest.mark.parametrize(
    "version", ["2.24.4", "2.24.5", "v2.24.4", "2.25.0", "5.0.0", "Docker Compose version v2.36.2"]
)
def test_compose_with_override_is_new_enough(machine: Machine, version: str) -> None:
    write_script(machine.plugin, f"echo {version}")
    assert find_compose(machine.environ, NothingKnown()).command == (str(machine.plugin),)


# --- errors ---


@pytest.mark.parametrize("version", ["2.18.1", "2.20.3", "2.24.3", "v2.0.0-rc.3"])
def test_a_compose_that_is_too_old_is_refused_with_its_version(
    machine: Machine, version: str
) -> None:
    write_script(machine.plugin, f"echo {version}")
    error = refusal(machine)
    assert (
        f"Compose {version.removeprefix('v').partition('-')[0]} ({machine.plugin}) is too old"
        in error.message
    )
    assert "needs Compose 2.24.4 or newer" in error.message
    assert f"curl -fsSL -o {machine.plugin}" in error.hint


@pytest.mark.parametrize("version", ["1.29.2", "docker-compose version 1.29.2, build 5becea4c"])
def test_compose_v1_alone_is_not_enough(machine: Machine, version: str) -> None:
    machine.program("docker", NO_PLUGIN)
    machine.program("docker-compose", f"echo {version}")
    assert "only Compose v1 is installed (1.29.2, " in refusal(machine).message


def test_without_docker_the_hint_installs_it(machine: Machine) -> None:
    error = refusal(machine)
    assert (error.message, error.hint) == (
        "Docker is not installed",
        "curl -fsSL https://get.docker.com | sudo sh",
    )


def test_an_engine_without_the_docker_command_lacks_compose_alone(machine: Machine) -> None:
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(machine.folder / "docker.sock"))
        error = refusal(machine)
    assert error.message.startswith("Docker's Compose plugin is missing")
    assert error.details == ()


def test_a_docker_command_without_plugin_and_engine_lacks_both(machine: Machine) -> None:
    machine.program("docker", NO_PLUGIN)
    error = refusal(machine)
    assert error.message.startswith("Docker's Compose plugin is missing")
    assert error.details == (
        f"no Docker engine answers at {machine.environ['DOCKER_HOST']} either",
    )
    assert "curl" in error.hint


def test_podman_in_place_of_docker_is_named(machine: Machine) -> None:
    docker = machine.program("docker", PODMAN)
    assert f"{docker} is Podman, which has no Compose of its own" in refusal(machine).message


OTHER_MACHINE = (
    b"\x7fELF\x02\x01\x01"
    + bytes(9)
    + struct.pack("<HHIQQQIHHHHHH", 2, 0xF3F3, 1, 0x400000, 64, 0, 0, 64, 56, 0, 0, 0, 0)
)
"""The header of a program for a processor that does not exist."""


def executable(content: bytes) -> Callable[[Path], object]:
    """Return a function that makes an executable file with that content."""

    def make(path: Path) -> None:
        path.write_bytes(content)
        path.chmod(0o755)

    return make


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a folder": (Path.mkdir, "is a folder"),
    "not executable": (lambda path: path.write_text("#!/bin/sh\n"), "is not executable"),
    "an empty file": (executable(b""), "not a program for this machine"),
    "a text": (executable(b"this is\nno program\n"), "not a program for this machine"),
    "another machine's program": (executable(OTHER_MACHINE), "not a program for this machine"),
    "no interpreter": (executable(b"#!/no/such/interpreter\n"), "interpreter is missing"),
    "exit 127": (executable(b"#!/bin/sh\nexec no-such-program\n"), "exit code 127"),
    "garbage": (executable(b"#!/bin/sh\necho '{}'\n"), "printed '{}'"),
    "nothing": (executable(b"#!/bin/sh\n"), "printed nothing"),
    "bytes": (executable(b"#!/bin/sh\nprintf '\\377\\376'\n"), "printed"),
}


@pytest.mark.parametrize(("make", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_refused_with_the_reason(
    machine: Machine, make: Callable[[Path], object], reason: str
) -> None:
    machine.plugin.parent.mkdir()
    make(machine.plugin)
    error = refusal(machine)
    assert str(machine.plugin) in error.message
    assert reason in error.message
    assert error.hint


@pytest.mark.parametrize(
    "name", [name for name in BROKEN if name not in ("a folder", "not executable")]
)
def test_a_broken_docker_command_is_refused_with_the_reason(machine: Machine, name: str) -> None:
    make, reason = BROKEN[name]
    docker = machine.folder / "bin" / "docker"
    make(docker)
    error = refusal(machine)
    assert f"{docker}" in error.message
    assert reason in error.message


def test_a_plugin_that_never_reports_its_version_is_given_up(machine: Machine) -> None:
    write_script(machine.plugin, "exec /bin/sleep 600")
    with pytest.raises(TimedOut):
        find_compose(machine.environ, NothingKnown(), deadline=0.3)


def test_a_password_in_an_answer_is_masked(machine: Machine) -> None:
    write_script(machine.plugin, "echo dial tcp://user:canary@127.0.0.1:1 >&2; exit 1")
    assert "canary" not in Masker().line(refusal(machine).message), "as the Screen shows it"


@pytest.mark.parametrize("make", [Path.touch, lambda _: None], ids=["a file", "nothing"])
def test_a_docker_config_that_is_not_a_folder_is_reported(
    machine: Machine, make: Callable[[Path], object]
) -> None:
    machine.program("docker", NO_PLUGIN)
    path = machine.folder / "elsewhere"
    make(path)
    error = refusal(machine, DOCKER_CONFIG=str(path))
    assert f"DOCKER_CONFIG is {path}, which is not a folder" in error.details
    assert error.hint == "unset DOCKER_CONFIG"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "[" * 100_000,
        '{"cliPluginsExtraDirs": 7, "currentContext": null}',
        '{"cliPluginsExtraDirs": [7, null]}',
    ],
)
def test_unusable_docker_settings_are_no_error(machine: Machine, text: str) -> None:
    (machine.folder / "docker" / "config.json").write_text(text)
    write_script(machine.plugin, "echo 2.40.3")
    assert find_compose(machine.environ, NothingKnown()).version == "2.40.3"
    assert (
        endpoint({"DOCKER_CONFIG": str(machine.folder / "docker")}) == "unix:///var/run/docker.sock"
    )


def test_the_hint_installs_into_the_folder_where_docker_looks_first(machine: Machine) -> None:
    """The command is run with a fake `curl` that writes what it was asked for."""
    machine.program("docker", NO_PLUGIN)
    machine.program("curl", 'echo "echo 2.40.3" > "$3"; echo "$4" > url')
    for name in ("mkdir", "chmod", "uname"):
        (machine.folder / "bin" / name).symlink_to(f"/bin/{name}")
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(machine.folder / "docker.sock"))
        hint = refusal(machine).hint
    subprocess.run(["/bin/sh", "-c", hint], env=machine.environ, cwd=machine.folder, check=True)
    url = (machine.folder / "url").read_text().strip()
    assert (
        url
        == f"https://github.com/docker/compose/releases/latest/download/docker-compose-linux-{os.uname().machine}"
    )
    assert find_compose(machine.environ, Known("2.40.3")).command == (str(machine.plugin),)


# --- the engine ---


def test_an_unknown_context_is_an_error(machine: Machine) -> None:
    with pytest.raises(
        DockerUnavailable, match="the Docker context 'gone' does not exist"
    ) as caught:
        endpoint({"DOCKER_CONFIG": str(machine.folder / "docker"), "DOCKER_CONTEXT": "gone"})
    assert caught.value.hint == "docker context ls"


@pytest.mark.parametrize(
    "meta",
    [
        "",
        "[]",
        "null",
        "[" * 100_000,
        '{"Endpoints": {"docker": {}}}',
        '{"Endpoints": {"docker": {"Host": null}}}',
        '{"Endpoints": 7}',
    ],
)
def test_a_broken_context_is_an_error(machine: Machine, meta: str) -> None:
    path = (
        machine.folder
        / "docker"
        / "contexts"
        / "meta"
        / hashlib.sha256(b"mine").hexdigest()
        / "meta.json"
    )
    path.parent.mkdir(parents=True)
    path.write_text(meta)
    with pytest.raises(DockerUnavailable, match="'mine' does not exist or is broken"):
        endpoint({"DOCKER_CONFIG": str(machine.folder / "docker"), "DOCKER_CONTEXT": "mine"})


def test_the_hint_for_a_missing_engine_installs_docker_if_that_is_missing_too(
    machine: Machine,
) -> None:
    address = "unix:///var/run/docker.sock"
    error = no_engine(address, machine.environ)
    assert "Docker is not installed" in error.message
    assert "get.docker.com" in error.hint
    machine.program("docker", NO_PLUGIN)
    error = no_engine(address, machine.environ)
    assert (error.message, error.hint) == (
        f"no Docker engine answers at {address}",
        "sudo systemctl start docker",
    )


def test_every_hint_is_valid_shell(machine: Machine) -> None:
    hints = [refusal(machine).hint, no_engine("unix:///var/run/docker.sock", machine.environ).hint]
    for script in ("echo 2.18.1", "exit 3"):
        write_script(machine.plugin, script)
        hints.append(refusal(machine).hint)
    for hint in hints:
        assert subprocess.run(["/bin/sh", "-n", "-c", hint], check=False).returncode == 0
        assert shlex.split(hint)
