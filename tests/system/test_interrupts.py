"""Ctrl-C at any moment of a run: exit code 130, one line, no traceback."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

WRAPPER = """
import os, sys
from dartsctl import __main__
from dartsctl.system import interrupts
started, watch = int(sys.argv.pop(1)), interrupts.watch
def watch_and_report():
    watch()
    os.write(started, b"x")
interrupts.watch = watch_and_report
raise SystemExit(__main__.run())
"""
OFFSETS = 10


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return an environment with a slow Compose and without an engine."""
    plugin = tmp_path / "docker" / "cli-plugins" / "docker-compose"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(
        '#!/bin/sh\ncase "$*" in *version*) echo 2.40.0; exit ;; esac\nsleep 0.1\n'
        'echo \'{"name": "demo", "services": {}}\'\n'
    )
    plugin.chmod(0o755)
    (tmp_path / "compose.yml").write_text("services: {}\n")
    return {
        **os.environ,
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "DOCKER_HOST": f"unix://{tmp_path}/none.sock",
    }


def run(
    words: list[str], folder: Path, environ: dict[str, str], after: float | None
) -> tuple[int, str, float]:
    """Run with a SIGINT `after` seconds; return exit code, stderr and duration."""
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", WRAPPER, str(writer), *words],
        cwd=folder,
        env=environ,
        pass_fds=[writer],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        pipe.read(1)
    began = time.monotonic()
    if after is not None:
        time.sleep(after)
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    return process.returncode, err, time.monotonic() - began


@pytest.mark.parametrize("words", [["--help"], ["check"], ["ports"], ["--version"]])
def test_an_interrupted_run_shows_one_line(
    words: list[str], tmp_path: Path, environ: dict[str, str]
) -> None:
    code, _, whole = run(words, tmp_path, environ, None)
    chance = random.Random(7)
    ended = [
        run(words, tmp_path, environ, whole * (place + chance.random()) / OFFSETS)[:2]
        for place in range(OFFSETS)
    ]
    for interrupted, err in ended:
        assert interrupted in (130, code), err
        assert "Traceback" not in err
        assert "Exception ignored" not in err
        if interrupted == 130:
            assert err == "error: interrupted\n"
    assert whole < 0.05 or any(interrupted == 130 for interrupted, _ in ended)


def test_an_interrupt_in_the_creation_of_a_class_is_130_too(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """Python exits by SIGINT after a KeyboardInterrupt that left an `exec`, as in a dataclass."""
    script = """
import sys, dartsctl.cli
from dartsctl.__main__ import run
def main(argv):
    try:
        exec("raise KeyboardInterrupt")
    except KeyboardInterrupt:
        return 130
dartsctl.cli.main = main
raise SystemExit(run())
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "")


def test_an_ignored_interrupt_stays_ignored(tmp_path: Path, environ: dict[str, str]) -> None:
    """As under nohup, and in a background job of a script."""
    argv = [sys.executable, "-m", "dartsctl", "check", "--no-engine"]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = subprocess.Popen(
            argv,
            cwd=tmp_path,
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    assert process.stderr is not None
    with process.stderr as stream:
        assert "nothing to start" in stream.read()
    assert process.returncode == 1
