"""What stands beside the figures: the machine, and the versions of everything."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from install import ROOT

STARTS = 11
"""How often Python is started for the median of its start-up time."""


def facts(python: str) -> dict[str, Any]:
    """Return the facts of this run. `python`: the interpreter of dartsctl's environment.

    What cannot be read is None.
    """
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit(),
        "cpu": cpu(),
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "kernel": f"{platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "python_start_ms": _python_start(python),
        "docker": docker_version(output("docker", "--version")),
        "compose": output("docker", "compose", "version", "--short"),
        "engine": output("docker", "version", "--format", "{{.Server.Version}}"),
    }


def lines(machine: Mapping[str, Any]) -> list[str]:
    """Return the facts for people, above the table."""
    commit = machine["commit"] or "of no git checkout"
    cpu = machine["cpu"] or "an unknown CPU"
    start = f"`python -c pass` takes {machine['python_start_ms']} ms"
    return [
        f"dartsctl {commit}, {machine['date']}",
        f"{machine['cores']} cores of {cpu}, {machine['kernel']}, load {machine['load']}",
        f"Python {machine['python']} ({start})",
        docker(machine),
    ]


def docker_version(text: str | None) -> str | None:
    """Return the number in `Docker version 28.2.2, build e6534b4`."""
    for word in (text or "").replace(",", " ").split():
        if word[0].isdigit():
            return word
    return None


def docker(machine: Mapping[str, Any]) -> str:
    """Return the versions of Docker in words."""
    if not machine["docker"]:
        return "no docker"
    engine = f"engine {machine['engine']}" if machine["engine"] else "no engine"
    return f"docker {machine['docker']}, Compose {machine['compose'] or 'missing'}, {engine}"


def commit() -> str | None:
    """Return the commit of this checkout, with ` and changes` if there are any."""
    sha = output("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD")
    if sha and output("git", "-C", str(ROOT), "status", "--porcelain"):
        return f"{sha} and changes"
    return sha


def cpu(place: Path = Path("/proc/cpuinfo")) -> str | None:
    """Return the model of the CPU."""
    try:
        text = place.read_text()
    except OSError:
        return output("sysctl", "-n", "machdep.cpu.brand_string")
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine() or None


def output(*argv: str) -> str | None:
    """Return what a program prints, None if it fails or prints nothing."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def _python_start(python: str) -> float:
    """Return how many milliseconds `python -c pass` takes."""
    argv: Sequence[str] = (python, "-c", "pass")
    seconds = []
    for _ in range(STARTS):
        began = time.perf_counter()
        subprocess.run(argv, check=True)
        seconds.append(time.perf_counter() - began)
    return round(statistics.median(seconds) * 1000, 1)
