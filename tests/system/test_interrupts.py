"""Ctrl-C at any moment of a run, from the first instruction to the last: code 130, one line, no traceback."""

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
from dartsctl import __main__, interrupts
begun, watch = int(sys.argv.pop(1)), interrupts.watch
def watch_and_tell():
    watch()
    os.write(begun, b"x")
interrupts.watch = watch_and_tell
raise SystemExit(__main__.run())
"""
OFFSETS = 10


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A Compose that takes a moment, and no engine."""
    plugin = tmp_path / "docker" / "cli-plugins" / "docker-compose"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(
        '#!/bin/sh\ncase "$*" in *version*) echo 2.40.0; exit ;; esac\nsleep 0.1\necho \'{"name": "demo", "services": {}}\'\n'
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
    """One run with a SIGINT `after` seconds; its code, its stderr and how long it took."""
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
def test_a_run_that_is_interrupted_says_so_in_one_line(
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


def test_an_interrupt_in_the_making_of_a_class_is_130_too(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """A dataclass is made by an `exec` of text, and CPython wants to die by SIGINT after a KeyboardInterrupt out of one."""
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
        assert "no conflict" in stream.read()
    assert process.returncode == 0
