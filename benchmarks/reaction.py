"""How fast `watch` shows that a container has died, in one run with `docker events`."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from measure import Ratio

PROJECT = "dartsctl-bench-reaction"
APP = f"{PROJECT}-app-1"
STREAM, PROCESS, PEER = "events", "process", "docker events"
_PATIENCE = 60.0
_SETTLED = 2.0
"""Seconds until `watch` and `docker events` certainly follow a container that was started."""
_COMPOSE = """
services:
  app:
    image: {image}
    init: true
    command: [sleep, "3600"]
"""
_SETTINGS = f"""
[prod]
project = "{PROJECT}"
files = ["compose.yaml"]
"""


class TooSlow(Exception):
    """A line did not come within a minute."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """Medians over all rounds: of the stream, and of the first process's end."""

    stream: Ratio
    process: Ratio


def measure(
    folder: Path, watch: Sequence[str], *, image: str, environ: Mapping[str, str], rounds: int
) -> Reaction:
    """Kill a container's first process `rounds` times, and compare when each line arrives.

    `watch`: the command `dartsctl watch --json`. Raises PermissionError for a user who may not kill
    the process, TooSlow.
    """
    folder.mkdir()
    (folder / "compose.yaml").write_text(_COMPOSE.format(image=image))
    (folder / "dartsctl.toml").write_text(_SETTINGS)
    seconds: dict[str, list[float]] = {STREAM: [], PROCESS: [], PEER: []}
    arrivals: queue.SimpleQueue[tuple[str, float]] = queue.SimpleQueue()
    label = f"label=com.docker.compose.project={PROJECT}"
    peer = [
        "docker",
        "events",
        "--filter",
        label,
        "--filter",
        "event=die",
        "--format",
        "{{json .}}",
    ]
    with (
        _stack(folder),
        _lines(peer, folder, environ, lambda _line: PEER, arrivals),
        _lines([*watch], folder, environ, _source_of, arrivals),
    ):
        _await(arrivals, {"ready"})
        for _ in range(rounds + 1):
            time.sleep(_SETTLED)
            began = _kill()
            for source, moment in _await(arrivals, set(seconds)).items():
                seconds[source].append(moment - began)
            subprocess.run(["docker", "start", APP], capture_output=True, check=True)
    return Reaction(*(_ratio(seconds[source], seconds[PEER]) for source in (STREAM, PROCESS)))


def _ratio(ours: list[float], peer: list[float]) -> Ratio:
    """Compare without the first round, which does not count."""
    pairs = list(zip(ours[1:], peer[1:], strict=True))
    return Ratio(
        statistics.median(a / b for a, b in pairs),
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
    )


def _kill() -> float:
    """Kill the first process past the engine, and return when."""
    argv = ["docker", "inspect", "-f", "{{.State.Pid}}", APP]
    pid = int(subprocess.run(argv, capture_output=True, check=True).stdout)
    began = time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    return began


def _source_of(line: bytes) -> str:
    """Return which source of `watch` a JSON line is from; `ready` for the first view."""
    document = json.loads(line)
    if document["kind"] == "noticed":
        return str(document["source"])
    if document["kind"] == "view":
        return "ready"
    return ""


def _await(arrivals: queue.SimpleQueue[tuple[str, float]], sources: set[str]) -> dict[str, float]:
    """Return when the first line of each source came."""
    moments: dict[str, float] = {}
    while sources - moments.keys():
        try:
            source, moment = arrivals.get(timeout=_PATIENCE)
        except queue.Empty:
            raise TooSlow(f"no line of {', '.join(sorted(sources - moments.keys()))}") from None
        if source in sources:
            moments.setdefault(source, moment)
    return moments


@contextlib.contextmanager
def _stack(folder: Path) -> Iterator[None]:
    compose = ["docker", "compose", "-p", PROJECT, "-f", str(folder / "compose.yaml")]
    subprocess.run([*compose, "up", "-d"], capture_output=True, check=True)
    try:
        yield
    finally:
        subprocess.run([*compose, "down", "-t", "0"], capture_output=True, check=False)


@contextlib.contextmanager
def _lines(
    argv: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    source_of: Callable[[bytes], str],
    arrivals: queue.SimpleQueue[tuple[str, float]],
) -> Iterator[None]:
    """Run a program, and note when each of its lines arrives."""
    with subprocess.Popen(
        argv, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as program:

        def read() -> None:
            for line in program.stdout or ():
                moment = time.perf_counter()
                arrivals.put((source_of(line), moment))

        threading.Thread(target=read, daemon=True).start()
        try:
            yield
        finally:
            program.terminate()
            program.wait()
