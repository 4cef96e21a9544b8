"""A project that needs no Docker: the test's own script replaces Compose.

Its dartsctl processes are measured. A pytest plugin: a test file with
`pytest_plugins = ("fakes.plain_project",)` has the fixture `project`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

HEALTHY = """case "$*" in
*version*) echo 2.40.3; exit ;;
*config*) cat MODEL; exit ;;
esac
"""
"""The first lines of a script that answers as Compose does.

The lines after it run for `up`, `down` and `restart`.
"""

MEASURE = """
import os, sys
pid = os.spawnv(os.P_NOWAIT, sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as file:
    print(usage.ru_maxrss, file=file)
sys.exit(os.waitstatus_to_exitcode(status) % 256)
"""
"""Start a program and write its peak memory in KiB into a file.

A process of its own, because ru_maxrss of a child starts with the memory of its parent. That would
be pytest's, which grows during a run.
"""


@dataclass(frozen=True)
class Measured:
    """How a dartsctl process ended.

    `seconds` since all of them were started. `megabytes`: the peak memory of it or a child of it.
    """

    words: str
    code: int
    out: str
    err: str
    seconds: float
    megabytes: float

    @property
    def error(self) -> str:
        """Return its only error line."""
        (error,) = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert "Traceback" not in self.err
        return error


@dataclass(frozen=True)
class Project:
    """A folder with settings and Compose files, and the environment of what runs in it."""

    folder: Path
    environ: dict[str, str]

    def compose(self, script: str) -> None:
        """Install this script as Docker's Compose plugin.

        HEALTHY in it stands for the answers of a healthy one.
        """
        plugin = self.folder / "docker" / "cli-plugins" / "docker-compose"
        plugin.parent.mkdir(parents=True, exist_ok=True)
        text = script.replace("HEALTHY", HEALTHY).replace("MODEL", str(self.folder / "model.json"))
        plugin.write_text(f"#!/bin/sh\n{text}\n")
        plugin.chmod(0o755)

    def run(self, words: str, *, within: float = 60, **variables: str) -> Measured:
        """Run `dartsctl WORDS` in the folder to its end."""
        (ended,) = self.measure(words, within=within, **variables)
        return ended

    def measure(self, *calls: str, within: float, **variables: str) -> list[Measured]:
        """Run `dartsctl CALL` for all calls at the same time.

        Those that have not ended after `within` seconds are killed.
        """
        started = time.monotonic()
        processes = []
        timers = []
        for words in calls:
            memory_file = str(self._output(words, "memory"))
            launcher = [sys.executable, "-I", "-S", "-c", MEASURE, memory_file]
            process = self._start(words, launcher, variables)
            processes.append(process)
            timers.append(threading.Timer(within, os.killpg, (process.pid, signal.SIGKILL)))
            timers[-1].start()
        results = []
        for words, process, timer in zip(calls, processes, timers, strict=True):
            code = process.wait()
            timer.cancel()
            out, err, memory = (
                self._output(words, stream).read_text() for stream in ("out", "err", "memory")
            )
            results.append(
                Measured(words, code, out, err, time.monotonic() - started, int(memory) / 1024)
            )
        return results

    def start(self, words: str, **variables: str) -> subprocess.Popen[bytes]:
        """Start `dartsctl WORDS` in the background."""
        return self._start(words, [], variables)

    def _start(
        self, words: str, launcher: list[str], variables: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        with (
            self._output(words, "out").open("wb") as out,
            self._output(words, "err").open("wb") as err,
        ):
            return subprocess.Popen(
                [*launcher, sys.executable, "-m", "dartsctl", *words.split()],
                cwd=self.folder,
                env={**self.environ, **variables},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                process_group=0 if launcher else None,
            )

    def _output(self, words: str, stream: str) -> Path:
        return self.folder / f"{words.replace('/', '-')}.{stream}"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with one service in dev and prod, a healthy Compose and no engine."""
    return make_project(tmp_path)


def make_project(parent: Path) -> Project:
    """Make such a project in a folder, for a fixture of a whole file."""
    folder = parent / "shop"
    folder.mkdir()
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COMPOSE_", "DOCKER_"))
    }
    environ |= {
        "PYTHONUNBUFFERED": "1",
        "DOCKER_CONFIG": str(folder / "docker"),
        "DOCKER_HOST": f"unix://{folder}/engine.sock",
    }
    service = {"image": "dartsctl-test/busybox:1", "networks": {"default": None}}
    model = {
        "name": "shop",
        "services": {"a": service},
        "networks": {"default": {"name": "shop_default", "ipam": {}}},
    }
    for name in ("model.json", "compose.json"):
        (folder / name).write_text(json.dumps(model))
    files = 'files = ["compose.json"]\nenv_files = []\n'
    server = '[server]\ncommand = ["true"]\nservices = "required"\n'
    (folder / "dartsctl.toml").write_text(
        f'[prod]\n{files}project = "shop"\n[dev]\n{files}project = "shop-dev"\n{server}'
    )
    project = Project(folder, environ)
    project.compose("HEALTHY")
    return project
