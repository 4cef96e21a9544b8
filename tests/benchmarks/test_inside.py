"""What is measured inside a process exists in this checkout, and is skipped where it does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from own_ports import free_ports
from repository import REPOSITORY

pytestmark = pytest.mark.once

PROGRAM = REPOSITORY / "benchmarks" / "inside.py"


def answers(*words: str | int | Path, rounds: int = 1, path: Path | None = None) -> list[str]:
    """Run a measurement for some rounds, and return what it prints."""
    environ = None if path is None else {"PYTHONPATH": str(path)}
    done = subprocess.run(
        [sys.executable, "-P", PROGRAM, *map(str, words)],
        input="\n" * rounds,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("clock", ["wall", "cpu"])
def test_each_line_is_answered_with_the_seconds_of_one_round(clock: str) -> None:
    ready, *seconds = answers(clock, "scan", rounds=3)
    assert ready == "ready"
    assert len(seconds) == 3
    assert all(float(text) >= 0 for text in seconds)


def test_a_lease_is_taken_while_servers_have_most_of_the_range(tmp_path: Path) -> None:
    ports = free_ports(4)
    ready, seconds = answers("wall", "lease", tmp_path, ports[0], ports[-1], 3)
    assert ready == "ready"
    assert float(seconds) > 0


def test_no_two_processes_get_one_port(tmp_path: Path) -> None:
    ports = free_ports(9)
    assert answers("wall", "duplicates", tmp_path, ports[0], ports[-1]) == ["ready", "0.0"]


def test_a_version_without_what_is_measured_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "dartsctl").mkdir()
    (tmp_path / "dartsctl" / "__init__.py").write_text("")
    (line,) = answers("wall", "scan", path=tmp_path)
    assert line == "skipped: ModuleNotFoundError: No module named 'dartsctl.edges'"
