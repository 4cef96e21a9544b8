"""Real servers under real dartsctl processes, in the test's own state folder and port range."""

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
    """Ten free ports in a row, outside of the real dev range."""
    ports = free_ports(11)
    return ports[0], ports[9]


@pytest.fixture
def production_port(dev_range: tuple[int, int]) -> int:
    """A free port that stands for one of production's."""
    return dev_range[1] + 1


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DARTSCTL_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    """A variable in every process of the test, which identifies its orphans."""
    text = uuid.uuid4().hex
    monkeypatch.setenv("DARTSCTL_TEST_MARK", text)
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    return text


@pytest.fixture
def tree(mark: str) -> Callable[[], set[int]]:
    """A function that returns the pids of all running processes of the test."""

    def pids() -> set[int]:
        names = (folder.name for folder in Path("/proc").iterdir())
        running = {int(name) for name in names if name.isdecimal()}
        return {pid for pid in running - {os.getpid()} if _has_mark(pid, mark)}

    return pids


def _has_mark(pid: int, mark: str) -> bool:
    """Return whether a process runs and has the mark in its environment."""
    folder = Path(f"/proc/{pid}")
    try:
        if mark.encode() not in (folder / "environ").read_bytes():
            return False
        return (folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def argv(
    state: Path, mark: str, dev_range: tuple[int, int], production_port: int, tmp_path: Path
) -> Callable[..., list[str]]:
    """A function that returns the command line of a dartsctl that runs a server.

    `argv("sh", "-c", "exit 7", port=..., kind=...)`
    """

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
    """A function that starts a dartsctl with a server. What is left after the test is killed."""
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
    """A function that asks until the answer is true, at most 60 s. Returns the last answer."""

    def wait(ask: Callable[[], Any]) -> Any:
        until = time.monotonic() + 60
        while not (answer := ask()) and time.monotonic() < until:
            time.sleep(0.01)
        return answer

    return wait
