"""What the tests of several edges share."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import pytest

from two_users import ANN

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process that ends with the test, with its children."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*command: str, **more: object) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **more
        )  # type: ignore[call-overload]  # passed on
        assert isinstance(process, subprocess.Popen)
        started.append(process)
        return process

    yield begin
    for process in started:
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
        process.kill()
        process.communicate()


@pytest.fixture
def sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root has been called by another user."""
    monkeypatch.setenv("SUDO_UID", str(ANN))
    monkeypatch.setenv("SUDO_GID", str(ANN))
