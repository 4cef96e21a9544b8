"""Real stacks for the tests of the verbs.

A folder with Compose files and settings, dartsctl as a user starts it, and the engine's answers.
A pytest plugin: a test file with `pytest_plugins = ("live.stack",)` has the fixtures at the end of
this file. Everything that a test made on the engine is removed after it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from own_images import BUSYBOX
from own_ports import free_ports
from real_engine import engine_version

REPOSITORY = Path(__file__).parents[2]
PROJECT_LABEL = "com.docker.compose.project"

_REMOVE = f"""
containers=$1
shift
for project; do
  label=label={PROJECT_LABEL}=$project
  containers="$containers $(docker ps -aq --filter $label)"
  networks="$networks $(docker network ls -q --filter $label)"
  volumes="$volumes $(docker volume ls -q --filter $label)"
done
[ -z "${{containers# }}" ] || timeout 60 docker rm -f -v $containers
[ -z "${{networks# }}" ] || timeout 60 docker network rm $networks
[ -z "${{volumes# }}" ] || timeout 60 docker volume rm $volumes
"""
"""Remove the containers of the first argument and all that the projects in the others have."""
_leaving: list[tuple[set[str], int]] = []
"""The services of stacks that are still being removed, and a pipe that ends with the removal."""
_ENVIRON = dict(os.environ)
"""The variables that lead to the engine, whatever a test makes of them."""

_LISTENER = """
import socket, sys, time
address, port, kind, options = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
server = socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
if kind == "tcp":  # a connection that was closed a moment ago holds no port, as for any server
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if "reuse-port" in options:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
server.bind((address, port))
if kind == "tcp":
    server.listen()
print("ready", flush=True)
time.sleep(600)
"""


@dataclass(frozen=True)
class Said:
    """The output and the exit code of a dartsctl."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Return stdout, which must be one JSON document."""
        document = json.loads(self.out)
        assert isinstance(document, dict)
        assert document["schema"] == 1
        return document

    @property
    def text(self) -> str:
        """Return stdout and stderr."""
        return self.out + self.err


@dataclass
class LiveStack:
    """The project of a test. `ports` are eight free ports in a row."""

    folder: Path
    project: str
    ports: list[int]
    environ: dict[str, str]
    _projects: set[str] = field(default_factory=set)
    _processes: list[subprocess.Popen[str]] = field(default_factory=list)
    _loose: list[str] = field(default_factory=list)
    _services: set[str] = field(default_factory=set)

    # --- files

    def compose(
        self, services: Mapping[str, Any], *, file: str = "compose.json", **more: Any
    ) -> Path:
        """Write a Compose file (JSON is YAML too).

        Its project has the test's name, unless `name` is given.
        """
        self._services.update(services)
        _wait_for_removal(of=self._services)
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"name": self.project, "services": services, **more}))
        return path

    def settings(
        self,
        text: str = "",
        *,
        files: Sequence[Path | str] = ("compose.json",),
        environment: str = "prod",
    ) -> None:
        """Write dartsctl.toml. `text` is the environment's table, further tables may follow."""
        table = environment if environment in ("dev", "prod") else f"environment.{environment}"
        keys = "" if "env_files" in text else "env_files = []\n"
        keys += f"files = {json.dumps([str(file) for file in files])}\n" if files else ""
        (self.folder / "dartsctl.toml").write_text(
            f'name = "{self.project}-app"\n[{table}]\nproject = "{self.project}"\n{keys}{text}\n'
        )

    # --- dartsctl

    def run(
        self,
        *words: str | Path,
        timeout: float = 120,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        **variables: str,
    ) -> Said:
        """Run `dartsctl WORDS` in the test's folder, and check that there is no traceback.

        `env` and `variables` are added to the environment.
        """
        done = subprocess.run(
            [sys.executable, "-m", "dartsctl", *map(str, words)],
            cwd=cwd or self.folder,
            env={**self.environ, **(env or {}), **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
        result = Said(done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in result.text, result
        return result

    def start(self, *words: str | Path, **variables: str) -> subprocess.Popen[str]:
        """Start `dartsctl WORDS` in the background, stdout and stderr in one pipe."""
        return self.spawn(
            [sys.executable, "-m", "dartsctl", *map(str, words)],
            stderr=subprocess.STDOUT,
            env={**self.environ, **variables},
        )

    def up(self, *words: str | Path) -> Said:
        """Bring the test's project up with Compose itself, not with dartsctl."""
        options = map(str, words or ("-f", "compose.json"))
        done = subprocess.run(
            ["docker", "compose", "--progress", "quiet", *options, "up", "-d"],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return Said(done.returncode, done.stdout, done.stderr)

    # --- rivals

    def spawn(self, argv: Sequence[str], **more: Any) -> subprocess.Popen[str]:
        """Start a process that is ended after the test."""
        options = {
            "cwd": self.folder,
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "text": True,
            **more,
        }
        process = subprocess.Popen(argv, **options)
        self._processes.append(process)
        return process

    def listen(
        self, port: int, address: str = "127.0.0.1", kind: str = "tcp", *options: str
    ) -> int:
        """Start a process that holds the port, and return its pid when it does."""
        process = self.spawn([sys.executable, "-c", _LISTENER, address, str(port), kind, *options])
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process.pid

    def end(self, pid: int) -> None:
        """End one of the processes above."""
        process = next(process for process in self._processes if process.pid == pid)
        self._processes.remove(process)
        _finish(process)

    def container(self, *words: str, name: str = "") -> str:
        """Start a container outside of any project, and return its name.

        `words` are those of `docker run`, with image and command.
        """
        name = name or f"{self.project}-loose-{len(self._loose)}"
        self._loose.append(name)
        docker("run", "-d", "--init", "--name", name, *words)
        return name

    # --- the engine's own answers

    def of(self, project: str = "") -> str:
        """Return a project's name, and remove the project after the test."""
        self._projects.add(project or self.project)
        return project or self.project

    def containers(self, project: str = "") -> dict[str, str]:
        """Return the states of the project's containers by name, stopped ones too."""
        rows = docker(
            "ps",
            "-a",
            "--filter",
            f"label={PROJECT_LABEL}={self.of(project)}",
            "--format",
            "{{.Names}} {{.State}}",
        ).splitlines()
        return {name: state for name, _, state in sorted(row.partition(" ") for row in rows)}

    def identities(self, project: str = "") -> set[str]:
        """Return the ids of the project's containers."""
        return set(
            docker(
                "ps", "-aq", "--no-trunc", "--filter", f"label={PROJECT_LABEL}={self.of(project)}"
            ).split()
        )

    def leftovers(self, project: str = "") -> list[str]:
        """Return the project's containers, networks and volumes."""
        label = f"label={PROJECT_LABEL}={self.of(project)}"
        networks = docker(
            "network", "ls", "--filter", label, "--format", "network {{.Name}}"
        ).splitlines()
        volumes = docker(
            "volume", "ls", "--filter", label, "--format", "volume {{.Name}}"
        ).splitlines()
        return [*self.containers(project), *networks, *volumes]

    def close(self, *, wait: bool = False) -> None:
        """End the processes and remove everything from the engine, which goes on beside the tests.

        With `wait` it is done when this returns.
        """
        for process in self._processes:
            _finish(process)
        if not engine_version():
            return
        end, held = os.pipe()
        subprocess.run(
            [
                *("sh", "-c", f"({_REMOVE}) &", "sh"),
                *(" ".join(self._loose), *{self.project, *self._projects}),
            ],
            env=_ENVIRON,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[held],
            check=False,
        )
        os.close(held)
        _leaving.append((self._services, end))
        if wait:
            _wait(_leaving[-1])


def _wait_for_removal(*, of: set[str]) -> None:
    """Wait until no stack is left that dartsctl could take for one with these services.

    Those have at least two in common (stack/same_stack.py).
    """
    for leaving in tuple(_leaving):
        services, end = leaving
        is_gone = bool(select.select([end], [], [], 0)[0])
        if is_gone or len(services & of) > 1:
            _wait(leaving)


def _wait(leaving: tuple[set[str], int]) -> None:
    _, end = leaving
    os.read(end, 1)  # nothing comes but the end
    os.close(end)
    _leaving.remove(leaving)


def _finish(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def docker(*words: str, check: bool = True) -> str:
    """Run a docker command, and return its stdout."""
    done = subprocess.run(
        ["docker", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert not check or done.returncode == 0, f"docker {' '.join(words)}: {done.stderr}"
    return done.stdout


def visits_in(project: str) -> list[str]:
    """Return what the PostgreSQL of a project of compose/ has stored, one text for each visit."""
    query = "SELECT player, points, source FROM visits ORDER BY id"
    return docker(
        "exec",
        f"{project}-postgres-1",
        "psql",
        "-U",
        "darts",
        "-d",
        "darts",
        "-Atc",
        query,
        check=False,
    ).split()


def sleeper(*published: str, **more: Any) -> dict[str, Any]:
    """Return a service that only listens on its published tcp ports, and stops at once."""
    service: dict[str, Any] = {
        "image": BUSYBOX,
        "command": _listening_sleep(published),
        "init": True,
        "stop_grace_period": "0s",
        **more,
    }
    return {**service, "ports": list(published)} if published else service


def _listening_sleep(published: Sequence[str]) -> list[str]:
    """Return the command of a container that listens on the targets of `published`."""
    targets: dict[int, None] = {}
    for entry in published:
        text, _, protocol = entry.rpartition(":")[2].partition("/")
        first, _, last = text.partition("-")
        if protocol != "udp" and first.isdecimal():
            targets.update(dict.fromkeys(range(int(first), int(last or first) + 1)))
    servers = [f"busybox httpd -p {target} -h /var;" for target in list(targets)[:16]]
    if not servers:
        return ["sleep", "600"]
    return ["sh", "-c", " ".join((*servers, "exec sleep 600"))]


def healthy(*published: str, after: str = "true", retries: int = 2, **more: Any) -> dict[str, Any]:
    """Return a sleeper whose health check is the shell command `after`."""
    check = {"test": ["CMD-SHELL", after], "interval": "1s", "timeout": "20s", "retries": retries}
    return sleeper(*published, healthcheck=check, **more)


@contextlib.contextmanager
def one_stack_at_a_time() -> Iterator[None]:
    """Within it no other test runs a whole stack of compose/.

    Two of them would be too slow for their health checks on two cores.
    """
    with (Path(tempfile.gettempdir()) / f"dartsctl-tests-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def can_be_published(port: int) -> bool:
    """Return whether the port is free on every IPv4 address."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def until(ask: Callable[[], Any], *, seconds: float = 60, say: str = "") -> Any:
    """Ask until the answer is true, and return it. Fails with `say` if it does not become true."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            pytest.fail(say or f"nothing within {seconds:.0f} s")
        time.sleep(0.05)
    return answer


def ended(process: subprocess.Popen[str], *, seconds: float = 60) -> tuple[int, str]:
    """Wait for a background dartsctl, and return its exit code and output."""
    try:
        out, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        out, _ = process.communicate()
        pytest.fail(f"still running after {seconds:.0f} s:\n{out}")
    assert "Traceback" not in out
    return process.returncode, out


def own_compose(folder: Path) -> Path:
    """Return a copy of compose/ in `folder`.

    If the repository's own dev or production stack runs here, dartsctl refuses its files under
    another project name.
    """
    copy = folder / "compose"
    if not copy.exists():
        shutil.copytree(
            REPOSITORY / "compose",
            copy,
            ignore=shutil.ignore_patterns("*.pem", "*.crt", "*.key", "instance", "__pycache__"),
        )
    return copy


DEV_PORTS = ("DEV_POSTGRES_PORT", "DEV_RABBITMQ_PORT", "DEV_RABBITMQ_UI_PORT")
"""The variables for the ports that compose/dev.yml publishes."""


@pytest.fixture
def dev_ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The test's own ports for compose/dev.yml, in the order of DEV_PORTS.

    The real dev stack may run on this host. Request it before `live`.
    """
    ports = free_ports(len(DEV_PORTS))
    for name, port in zip(DEV_PORTS, ports, strict=True):
        monkeypatch.setenv(name, str(port))
    with one_stack_at_a_time():
        yield ports
        for leaving in tuple(_leaving):
            _wait(leaving)


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service is ready as soon as it listens: for tests in which none ends by itself.

    Without it a service without a health check has to run for a second. Request it before `live`.
    """
    monkeypatch.setenv("DARTSCTL_SETTLING_TIME", "0")


@pytest.fixture
def live(tmp_path: Path, own_state_folder: Path) -> Iterator[LiveStack]:
    """The test's own project on the real engine."""
    folder = tmp_path / "app"
    folder.mkdir()
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COMPOSE_", "COLUMNS", "LINES"))
    }  # xdist sets the last two
    environ["PYTHONUNBUFFERED"] = "1"
    environ.setdefault("DARTSCTL_SETTLING_TIME", "1")
    stack = LiveStack(folder, f"dct-{uuid.uuid4().hex[:10]}", free_ports(8), environ)
    try:
        yield stack
    finally:
        stack.close()
