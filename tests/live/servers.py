"""Real servers under real dartsctl processes, in a state folder and a port range of the test's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from own_ports import free_ports

DRIVER = Path(__file__).with_name("server_driver.py")
SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture
def dev_range() -> tuple[int, int]:
    """Ten ports in a row, outside the real dev range, on which nothing listens."""
    ports = free_ports(11)
    return ports[0], ports[9]


@pytest.fixture
def production_port(dev_range: tuple[int, int]) -> int:
    """A free port that plays one of production's."""
    return dev_range[1] + 1


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DARTSCTL_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    """A variable that every process of the test has, by which its orphans are found."""
    text = uuid.uuid4().hex
    monkeypatch.setenv("DARTSCTL_TEST_MARK", text)
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    return text


@pytest.fixture
def tree(mark: str) -> Callable[[], set[int]]:
    """The living processes that the test started, wherever they went."""

    def pids() -> set[int]:
        found = set()
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal() and int(folder.name) != os.getpid():
                try:
                    if (
                        mark.encode() in (folder / "environ").read_bytes()
                        and (folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
                    ):
                        found.add(int(folder.name))
                except OSError:
                    continue
        return found

    return pids


@pytest.fixture
def argv(
    state: Path, mark: str, dev_range: tuple[int, int], production_port: int, tmp_path: Path
) -> Callable[..., list[str]]:
    """The command line of a dartsctl that runs a server: `argv("sh", "-c", "exit 7", port=..., kind=...)`."""

    def build(*command: str, **more: Any) -> list[str]:
        request = {
            "command": command,
            "directory": str(tmp_path),
            "checkout": str(tmp_path),
            "dev_range": dev_range,
            "production": {str(production_port): "darts-app"},
            **more,
        }
        return [sys.executable, str(DRIVER), json.dumps(request)]

    return build


@pytest.fixture
def start(
    argv: Callable[..., list[str]], tree: Callable[[], set[int]]
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a dartsctl with a server in the background; whatever is left at the end of the test is killed."""
    started: list[subprocess.Popen[str]] = []

    def begin(*command: str, **more: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            argv(*command, **more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
    for pid in tree():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for process in started:
        process.communicate()


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], Any]:
    """Ask again until the answer is true, 10 seconds at most; the last answer."""

    def wait(ask: Callable[[], Any]) -> Any:
        until = time.monotonic() + 10
        while not (answer := ask()) and time.monotonic() < until:
            time.sleep(0.01)
        return answer

    return wait
