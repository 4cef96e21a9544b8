"""Docker on this machine: the docker command, Compose and its version.

Every verb asks here, so all of them report the same when something is missing. Usually no process
is started: the version of a known Compose is not asked for again (KnownVersions).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dartsctl import spawn
from dartsctl.edges.engine.address import (
    DEFAULT_ENDPOINT,
    config_folder,
    docker_settings,
    endpoint,
    is_unix_socket,
    socket_path,
)
from dartsctl.errors import DartsctlError, DockerUnavailable
from dartsctl.records import record
from dartsctl.text.patterns import regex
from dartsctl.text.phrases import shell_command
from dartsctl.text.safe_text import cut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Literal, Protocol

    ProblemKind = Literal["missing", "v1", "old", "broken", "podman"]

    class KnownVersions(Protocol):
        """Remembers the versions of Compose programs, as long as the programs do not change."""

        def version_of(self, program: Path) -> str:
            """Return the version, empty if it is unknown."""
            ...

        def keep(self, program: Path, version: str) -> None:
            """Remember the version. A place that cannot be written is no error."""
            ...


PLUGIN_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
    "/opt/homebrew/lib/docker/cli-plugins",
    "/Applications/Docker.app/Contents/Resources/cli-plugins",
)
OLDEST = (2, 24, 4)
"""The first Compose with `!override`. 2.18 has no `--progress` either."""
_NEEDED = f"dartsctl needs Compose {'.'.join(map(str, OLDEST))} or newer"
VERSION_DEADLINE = 10.0  # seconds
_VERSION = regex(
    r"(?i)(?:docker[- ]compose version )?v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:[-+.,].*)?",
)
_NO_PLUGIN = regex(r"is not a docker command|unknown command|unknown (shorthand )?flag")


class NothingKnown:
    """KnownVersions that remember nothing: every Compose is asked."""

    def version_of(self, program: Path) -> str:  # noqa: ARG002 - the protocol's
        """Return an empty version."""
        return ""

    def keep(self, program: Path, version: str) -> None:
        """Do nothing."""


@record
class ComposeProgram:
    """A Compose that dartsctl can use: the command that starts it, and its version."""

    command: tuple[str, ...]
    version: str


@record
class ComposeProblem:
    """Why a Compose cannot be used. `hint`: the command that helps, empty to install Compose."""

    kind: ProblemKind
    sentence: str
    hint: str = ""


def find_compose(
    environ: Mapping[str, str], known: KnownVersions, *, deadline: float = VERSION_DEADLINE
) -> ComposeProgram:
    """Return the Compose that every verb uses.

    Docker's plugin is started directly, because `docker compose` starts it twice.
    Raises DockerUnavailable if no installed Compose is new enough, TimedOut if one does not report
    its version within `deadline` seconds.
    """
    problems = []
    for command in _commands(environ):
        answer = _examine(command, environ, known, deadline)
        if isinstance(answer, ComposeProgram):
            return answer
        problems.append(answer)
    raise _unavailable(environ, problems)


def find_docker(environ: Mapping[str, str]) -> str:
    """Return the path of the docker command, empty if there is none."""
    return _which("docker", environ)


def _which(program: str, environ: Mapping[str, str]) -> str:
    import shutil

    return shutil.which(program, path=environ.get("PATH")) or ""


def no_engine(address: str, environ: Mapping[str, str]) -> DockerUnavailable:
    """Return the error for an engine that does not answer at `address`."""
    sentence = f"no Docker engine answers at {address}"
    if address != DEFAULT_ENDPOINT:
        return DockerUnavailable(sentence, hint="docker info")
    if not find_docker(environ) and not _which("dockerd", environ):
        return DockerUnavailable(f"Docker is not installed: {sentence}", hint=_install_docker())
    if sys.platform == "darwin":
        return DockerUnavailable(sentence, hint="open -a Docker")
    return DockerUnavailable(sentence, hint="sudo systemctl start docker")


def no_docker_command(address: str) -> DockerUnavailable:
    """Return the error for a missing docker command, without which `address` cannot be reached."""
    return DockerUnavailable(
        f"the docker command is not installed, and the engine at {address} cannot be reached"
        " without it",
        hint=_install_docker(),
    )


# --- Compose ---


def _commands(environ: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """Yield the ways to start Compose that exist here, best first.

    Docker's plugin, the plugin through docker, a `docker-compose` program.
    """
    extra = docker_settings(environ).get("cliPluginsExtraDirs")
    folders = [config_folder(environ) / "cli-plugins", *map(Path, PLUGIN_FOLDERS)]
    if isinstance(extra, list):
        folders = [*(Path(str(folder)) for folder in extra), *folders]
    paths = (folder / "docker-compose" for folder in folders)
    plugins = [plugin for plugin in paths if plugin.exists()]
    for plugin in plugins:
        yield (str(plugin),)
    docker = find_docker(environ)
    if docker and not plugins:
        yield (docker, "compose")
    if standalone := _which("docker-compose", environ):
        yield (standalone,)


def _examine(
    command: tuple[str, ...], environ: Mapping[str, str], known: KnownVersions, deadline: float
) -> ComposeProgram | ComposeProblem:
    """Return the Compose that `command` starts, or why it cannot be used."""
    program = Path(command[0])
    name = " ".join(command)
    if program.is_dir():
        hint = shell_command("mv", name, f"{name}.old")
        return ComposeProblem("broken", f"cannot use Compose: {name} is a folder", hint)
    if not os.access(program, os.X_OK):
        hint = shell_command("chmod", "+x", name)
        return ComposeProblem("broken", f"cannot use Compose: {name} is not executable", hint)
    if version := known.version_of(program):
        return ComposeProgram(command, version)
    try:
        done = spawn.run((*command, "version", "--short"), deadline=deadline, environment=environ)
    except spawn.CommandNotFound as error:
        return ComposeProblem("broken", f"cannot use Compose: {error.message}")
    result = _judge(command, done)
    if isinstance(result, ComposeProgram):
        known.keep(program, result.version)
    return result


def _judge(command: tuple[str, ...], done: spawn.Completed) -> ComposeProgram | ComposeProblem:
    """Return what the answer to `version --short` shows."""
    name = " ".join(command)
    text = done.stdout.strip()
    match = _VERSION.fullmatch(text)
    if done.code == 0 and match:
        version = tuple(int(number or 0) for number in match.groups())
        return _judge_version(command, version)
    if "podman" in done.stderr.lower():
        return ComposeProblem(
            "podman", f"{command[0]} is Podman, which has no Compose of its own; {_NEEDED}"
        )
    if len(command) > 1 and _NO_PLUGIN.search(done.stderr):
        return _no_plugin()
    lines = [line.strip() for line in (done.stderr or text).splitlines() if line.strip()]
    printed = repr(cut(lines[-1])) if lines else "nothing"
    exit_code = f" (exit code {done.code})" if done.code else ""
    return ComposeProblem(
        "broken", f"cannot use Compose: `{name} version --short` printed {printed}{exit_code}"
    )


def _judge_version(
    command: tuple[str, ...], version: tuple[int, ...]
) -> ComposeProgram | ComposeProblem:
    name = " ".join(command)
    number = ".".join(map(str, version))
    if version >= OLDEST:
        return ComposeProgram(command, number)
    if version[0] == 1:
        return ComposeProblem("v1", f"only Compose v1 is installed ({number}, {name}); {_NEEDED}")
    return ComposeProblem("old", f"Compose {number} ({name}) is too old; {_NEEDED}")


def _no_plugin() -> ComposeProblem:
    return ComposeProblem("missing", f"Docker's Compose plugin is missing; {_NEEDED}")


def _unavailable(
    environ: Mapping[str, str], problems: Sequence[ComposeProblem]
) -> DockerUnavailable:
    """Return the one error: the problem of the first Compose, and the engine if it is missing."""
    engine_socket = _missing_engine(environ)
    if engine_socket and not problems and not find_docker(environ):
        return DockerUnavailable("Docker is not installed", hint=_install_docker())
    existing = (problem for problem in problems if problem.kind != "missing")
    problem = next(existing, _no_plugin())
    hint = problem.hint or _install_compose(environ)
    if problem.kind == "missing" and engine_socket == DEFAULT_ENDPOINT:
        hint = _install_docker()
    details = []
    if engine_socket:
        details.append(f"no Docker engine answers at {engine_socket} either")
    if (folder := environ.get("DOCKER_CONFIG")) and not Path(folder).is_dir():
        details.append(f"DOCKER_CONFIG is {folder}, which is not a folder")
        hint = "unset DOCKER_CONFIG"
    return DockerUnavailable(problem.sentence, hint=hint, details=tuple(details))


def _missing_engine(environ: Mapping[str, str]) -> str:
    """Return the address of the engine's unix socket if the socket does not exist, else empty.

    Empty also for an engine elsewhere: the verb that asks it reports what is wrong.
    """
    try:
        address = endpoint(environ)
        if is_unix_socket(address) and not Path(socket_path(address)).is_socket():
            return address
    except (DartsctlError, OSError, ValueError):
        return ""
    return ""


def _install_docker() -> str:
    if sys.platform == "darwin":
        return "brew install --cask docker"
    return "curl -fsSL https://get.docker.com | sudo sh"


def _install_compose(environ: Mapping[str, str]) -> str:
    """Return the command that installs Compose for this user, where docker looks first."""
    if sys.platform == "darwin":
        return "brew install docker-compose"
    folder = shell_command(config_folder(environ) / "cli-plugins")
    file = f"{folder}/docker-compose"
    release = "https://github.com/docker/compose/releases/latest/download"
    url = f'"{release}/docker-compose-linux-$(uname -m)"'
    return f"mkdir -p {folder} && curl -fsSL -o {file} {url} && chmod +x {file}"
