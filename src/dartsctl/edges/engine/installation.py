"""What Docker is on this machine: the docker command, Compose and its version, the engine's address.

Every verb asks here, so that each says the same when something is missing. Nothing is started in the normal case: the version of
a Compose that is known already is not asked for again (KnownVersions).
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from dartsctl import spawn
from dartsctl.errors import DartsctlError, DockerUnavailable
from dartsctl.system import bounded_file
from dartsctl.text.phrases import shell_command
from dartsctl.text.safe_text import cut
from dartsctl.text.strict_json import Cursor, Source, parse_json

DEFAULT_ENDPOINT = "unix:///var/run/docker.sock"
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
_VERSION = re.compile(
    r"(?:docker[- ]compose version )?v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:[-+.,].*)?",
    re.IGNORECASE,
)
_NO_PLUGIN = re.compile(r"is not a docker command|unknown command|unknown (shorthand )?flag")

ProblemKind = Literal["missing", "v1", "old", "broken", "podman"]


class KnownVersions(Protocol):
    """Remembers the versions of Compose programs that have not changed since they were asked."""

    def version_of(self, program: Path) -> str:
        """The version, empty where it is unknown."""
        ...

    def keep(self, program: Path, version: str) -> None:
        """Remember it; a place that cannot be written is no error."""
        ...


class NothingKnown:
    """Every Compose is asked."""

    def version_of(self, program: Path) -> str:  # noqa: ARG002 - the protocol's
        return ""

    def keep(self, program: Path, version: str) -> None:
        """Forget it."""


@dataclass(frozen=True, slots=True)
class ComposeProgram:
    """A Compose that dartsctl can use: the words that start it, and its version."""

    command: tuple[str, ...]
    version: str


@dataclass(frozen=True, slots=True)
class ComposeProblem:
    """Why a Compose cannot be used: one sentence, and the command that helps (empty: install it)."""

    kind: ProblemKind
    sentence: str
    hint: str = ""


def find_compose(
    environ: Mapping[str, str], known: KnownVersions, *, deadline: float = VERSION_DEADLINE
) -> ComposeProgram:
    """Return the Compose that every verb uses.

    Docker's plugin is started directly, because `docker compose` starts it twice. Raises DockerUnavailable where no Compose here
    is new enough, TimedOut where one does not say its version within `deadline` seconds.
    """
    problems = []
    for command in _commands(environ):
        answer = _examine(command, environ, known, deadline)
        if isinstance(answer, ComposeProgram):
            return answer
        problems.append(answer)
    raise _unavailable(environ, problems)


def find_docker(environ: Mapping[str, str]) -> str:
    """Return the path of the docker command, empty without one."""
    return shutil.which("docker", path=environ.get("PATH")) or ""


def endpoint(environ: Mapping[str, str]) -> str:
    """The engine that `docker` would talk to: DOCKER_HOST, else the current context's, else the default socket (edge-cases.md#43)."""
    if host := environ.get("DOCKER_HOST"):
        return host
    folder = _config_folder(environ)
    context = environ.get("DOCKER_CONTEXT") or str(_config(environ).get("currentContext") or "")
    if not context or context == "default":
        return DEFAULT_ENDPOINT
    import hashlib

    meta = (
        folder
        / "contexts"
        / "meta"
        / hashlib.sha256(os.fsencode(context)).hexdigest()
        / "meta.json"
    )
    try:
        return (
            Cursor(_from_file(meta), Source(str(meta)))
            .at("Endpoints")
            .at("docker")
            .at("Host")
            .text()
        )
    except (OSError, DartsctlError) as error:
        raise DockerUnavailable(
            f"the Docker context {context!r} does not exist or is broken", hint="docker context ls"
        ) from error


def no_engine(address: str, environ: Mapping[str, str]) -> DockerUnavailable:
    """The error for an engine that does not answer at `address`."""
    sentence = f"no Docker engine answers at {address}"
    if address != DEFAULT_ENDPOINT:
        return DockerUnavailable(sentence, hint="docker info")
    if not find_docker(environ) and not shutil.which("dockerd", path=environ.get("PATH")):
        return DockerUnavailable(
            f"Docker is not installed here: {sentence}", hint=_install_docker()
        )
    return DockerUnavailable(
        sentence,
        hint="open -a Docker" if sys.platform == "darwin" else "sudo systemctl start docker",
    )


def no_docker_command(address: str) -> DockerUnavailable:
    """The error for an engine that only the docker command can reach, where there is none."""
    sentence = f"the engine at {address} is reached through the docker command, which is not installed here"
    return DockerUnavailable(sentence, hint=_install_docker())


# --- Compose ------------------------------------------------------------------------------------------------------------------


def _commands(environ: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """The ways to start Compose that exist here, best first: Docker's plugin, through docker, a program of its own."""
    extra = _config(environ).get("cliPluginsExtraDirs")
    folders = [
        *(extra if isinstance(extra, list) else ()),
        _config_folder(environ) / "cli-plugins",
        *PLUGIN_FOLDERS,
    ]
    plugins = [
        plugin for folder in folders if (plugin := Path(str(folder), "docker-compose")).exists()
    ]
    yield from ((str(plugin),) for plugin in plugins)
    docker = find_docker(environ)
    if docker and not plugins:
        yield (docker, "compose")
    if alone := shutil.which("docker-compose", path=environ.get("PATH")):
        yield (alone,)


def _examine(
    command: tuple[str, ...], environ: Mapping[str, str], known: KnownVersions, deadline: float
) -> ComposeProgram | ComposeProblem:
    program = Path(command[0])
    name = " ".join(command)
    if program.is_dir():
        return ComposeProblem(
            "broken",
            f"Compose cannot be used: {name} is a folder",
            hint=shlex.join(["mv", name, f"{name}.old"]),
        )
    if not os.access(program, os.X_OK):
        return ComposeProblem(
            "broken",
            f"Compose cannot be used: {name} is not executable",
            hint=shlex.join(["chmod", "+x", name]),
        )
    if version := known.version_of(program):
        return ComposeProgram(command, version)
    try:
        done = spawn.run((*command, "version", "--short"), deadline=deadline, environment=environ)
    except spawn.CommandNotFound as error:
        return ComposeProblem("broken", f"Compose cannot be used: {error.message}")
    answer = _judge(command, done)
    if isinstance(answer, ComposeProgram):
        known.keep(program, answer.version)
    return answer


def _judge(command: tuple[str, ...], done: spawn.Completed) -> ComposeProgram | ComposeProblem:
    """What a Compose's answer to `version --short` says of it."""
    name = " ".join(command)
    text = done.stdout.strip()
    match = _VERSION.fullmatch(text)
    if done.code == 0 and match:
        version = tuple(int(number or 0) for number in match.groups())
        plain = ".".join(map(str, version))
        if version >= OLDEST:
            return ComposeProgram(command, plain)
        if version[0] == 1:
            return ComposeProblem("v1", f"only Compose v1 is here ({plain}, {name}); {_NEEDED}")
        return ComposeProblem("old", f"Compose {plain} ({name}) is too old; {_NEEDED}")
    if "podman" in done.stderr.lower():
        return ComposeProblem(
            "podman", f"{command[0]} is Podman's stand-in for Docker, and has no Compose; {_NEEDED}"
        )
    if len(command) > 1 and _NO_PLUGIN.search(done.stderr):
        return _no_plugin()
    lines = [line.strip() for line in (done.stderr or text).splitlines() if line.strip()]
    said = cut(lines[-1]) if lines else "nothing"
    ended = f", exit code {done.code}" if done.code else ""
    return ComposeProblem(
        "broken", f"Compose cannot be used: `{name} version --short` said {said!r}{ended}"
    )


def _no_plugin() -> ComposeProblem:
    return ComposeProblem("missing", f"Docker's Compose plugin is missing; {_NEEDED}")


def _unavailable(
    environ: Mapping[str, str], problems: Sequence[ComposeProblem]
) -> DockerUnavailable:
    """The one error: what is wrong with the first Compose that is there, else that none is, and the engine if that is missing too."""
    without_engine = _missing_engine(environ)
    if without_engine and not problems and not find_docker(environ):
        return DockerUnavailable("Docker is not installed here", hint=_install_docker())
    problem = next((problem for problem in problems if problem.kind != "missing"), _no_plugin())
    hint = problem.hint or _install_compose(environ)
    if problem.kind == "missing" and without_engine == DEFAULT_ENDPOINT:
        hint = _install_docker()
    details = [f"no Docker engine answers at {without_engine} either"] if without_engine else []
    if (folder := environ.get("DOCKER_CONFIG")) and not Path(folder).is_dir():
        details.append(f"DOCKER_CONFIG is {folder}, which is no folder")
        hint = "unset DOCKER_CONFIG"
    return DockerUnavailable(problem.sentence, hint=hint, details=tuple(details))


def _missing_engine(environ: Mapping[str, str]) -> str:
    """The engine's unix socket, empty where there is one or where it is elsewhere: then the verb that asks it says what is wrong."""
    try:
        address = endpoint(environ)
        is_missing = (
            address.startswith("unix://") and not Path(address.removeprefix("unix://")).is_socket()
        )
    except (DartsctlError, OSError, ValueError):
        return ""
    return address if is_missing else ""


def _install_docker() -> str:
    return (
        "brew install --cask docker"
        if sys.platform == "darwin"
        else "curl -fsSL https://get.docker.com | sudo sh"
    )


def _install_compose(environ: Mapping[str, str]) -> str:
    """The command that installs Compose for this user, where the docker command looks first."""
    if sys.platform == "darwin":
        return "brew install docker-compose"
    folder = shlex.quote(str(_config_folder(environ) / "cli-plugins"))
    url = '"https://github.com/docker/compose/releases/latest/download/docker-compose-linux-$(uname -m)"'
    return f"mkdir -p {folder} && curl -fsSL -o {folder}/docker-compose {url} && chmod +x {folder}/docker-compose"


# --- Docker's own settings ----------------------------------------------------------------------------------------------------


def _config_folder(environ: Mapping[str, str]) -> Path:
    if folder := environ.get("DOCKER_CONFIG"):
        return Path(folder)
    return Path(os.path.expanduser(environ.get("HOME") or "~"), ".docker")  # noqa: PTH111 - without a home `~` stays, where pathlib fails


def _config(environ: Mapping[str, str]) -> dict[str, Any]:
    """Docker's config.json; empty where it cannot be read, as it is for the docker command. Raises DockerUnavailable for a special file."""
    file = _config_folder(environ) / "config.json"
    try:
        settings = _from_file(file)
    except (
        bounded_file.Unsuitable
    ) as error:  # Docker's own programs would wait for a named pipe for ever
        raise DockerUnavailable(
            f"{file} cannot be read: {error.strerror}", hint=shell_command("ls", "-l", file)
        ) from error
    except (OSError, DartsctlError):
        return {}
    return settings if isinstance(settings, dict) else {}


def _from_file(file: Path) -> Any:
    return parse_json(bounded_file.read_bytes(file), Source(str(file)))
