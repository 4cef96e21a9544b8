"""Docker on this machine: the docker command, Compose and its version, the engine's address.

Every verb asks here, so all of them report the same when something is missing. Usually no process
is started: the version of a known Compose is not asked for again (KnownVersions).
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from dartsctl import spawn
from dartsctl.errors import DartsctlError, DockerUnavailable
from dartsctl.records import record
from dartsctl.system import bounded_file
from dartsctl.text.patterns import regex
from dartsctl.text.phrases import shell_command
from dartsctl.text.safe_text import cut
from dartsctl.text.strict_json import Cursor, Source, parse_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
_UNIX = "unix://"
_NEEDED = f"dartsctl needs Compose {'.'.join(map(str, OLDEST))} or newer"
VERSION_DEADLINE = 10.0  # seconds
_VERSION = regex(
    r"(?i)(?:docker[- ]compose version )?v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:[-+.,].*)?",
)
_NO_PLUGIN = regex(r"is not a docker command|unknown command|unknown (shorthand )?flag")

ProblemKind = Literal["missing", "v1", "old", "broken", "podman"]


class KnownVersions(Protocol):
    """Remembers the versions of Compose programs, as long as the programs do not change."""

    def version_of(self, program: Path) -> str:
        """Return the version, empty if it is unknown."""
        ...

    def keep(self, program: Path, version: str) -> None:
        """Remember the version. A place that cannot be written is no error."""
        ...


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
    return shutil.which("docker", path=environ.get("PATH")) or ""


def endpoint(environ: Mapping[str, str]) -> str:
    """Return the address of the engine that `docker` would use.

    DOCKER_HOST, else the current context's, else the default socket (edge-cases.md#43).
    Raises DockerUnavailable for a context that cannot be read.
    """
    if host := environ.get("DOCKER_HOST"):
        return host
    context = environ.get("DOCKER_CONTEXT") or str(_config(environ).get("currentContext") or "")
    if not context or context == "default":
        return DEFAULT_ENDPOINT
    import hashlib

    digest = hashlib.sha256(os.fsencode(context)).hexdigest()
    file = _config_folder(environ) / "contexts" / "meta" / digest / "meta.json"
    try:
        context_file = Cursor(_from_file(file), Source(str(file)))
        return context_file.at("Endpoints").at("docker").at("Host").text()
    except (OSError, DartsctlError) as error:
        raise DockerUnavailable(
            f"the Docker context {context!r} does not exist or is broken", hint="docker context ls"
        ) from error


def is_unix_socket(address: str) -> bool:
    """Return whether the address of an engine is that of a unix socket."""
    return address.startswith(_UNIX)


def socket_path(address: str) -> str:
    """Return the path of a unix socket's address."""
    return address.removeprefix(_UNIX)


def no_engine(address: str, environ: Mapping[str, str]) -> DockerUnavailable:
    """Return the error for an engine that does not answer at `address`."""
    sentence = f"no Docker engine answers at {address}"
    if address != DEFAULT_ENDPOINT:
        return DockerUnavailable(sentence, hint="docker info")
    if not find_docker(environ) and not shutil.which("dockerd", path=environ.get("PATH")):
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
    extra = _config(environ).get("cliPluginsExtraDirs")
    folders = [_config_folder(environ) / "cli-plugins", *map(Path, PLUGIN_FOLDERS)]
    if isinstance(extra, list):
        folders = [*(Path(str(folder)) for folder in extra), *folders]
    paths = (folder / "docker-compose" for folder in folders)
    plugins = [plugin for plugin in paths if plugin.exists()]
    for plugin in plugins:
        yield (str(plugin),)
    docker = find_docker(environ)
    if docker and not plugins:
        yield (docker, "compose")
    if standalone := shutil.which("docker-compose", path=environ.get("PATH")):
        yield (standalone,)


def _examine(
    command: tuple[str, ...], environ: Mapping[str, str], known: KnownVersions, deadline: float
) -> ComposeProgram | ComposeProblem:
    """Return the Compose that `command` starts, or why it cannot be used."""
    program = Path(command[0])
    name = " ".join(command)
    if program.is_dir():
        hint = shlex.join(["mv", name, f"{name}.old"])
        return ComposeProblem("broken", f"cannot use Compose: {name} is a folder", hint)
    if not os.access(program, os.X_OK):
        hint = shlex.join(["chmod", "+x", name])
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
    folder = shlex.quote(str(_config_folder(environ) / "cli-plugins"))
    file = f"{folder}/docker-compose"
    release = "https://github.com/docker/compose/releases/latest/download"
    url = f'"{release}/docker-compose-linux-$(uname -m)"'
    return f"mkdir -p {folder} && curl -fsSL -o {file} {url} && chmod +x {file}"


# --- Docker's own settings ---


def _config_folder(environ: Mapping[str, str]) -> Path:
    if folder := environ.get("DOCKER_CONFIG"):
        return Path(folder)
    home = environ.get("HOME") or "~"
    folder = os.path.expanduser(home)  # noqa: PTH111 - where there is no home, pathlib fails
    return Path(folder, ".docker")


def _config(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return Docker's config.json, empty if it cannot be read, as for the docker command.

    Raises DockerUnavailable for a special file: Docker's own programs would wait for a named pipe
    without end.
    """
    file = _config_folder(environ) / "config.json"
    try:
        settings = _from_file(file)
    except bounded_file.UnsuitableFile as error:
        raise DockerUnavailable(
            f"{file} cannot be read: {error.strerror}", hint=shell_command("ls", "-l", file)
        ) from error
    except (OSError, DartsctlError):
        return {}
    return settings if isinstance(settings, dict) else {}


def _from_file(file: Path) -> Any:
    return parse_json(bounded_file.read_bytes(file), Source(str(file)))
