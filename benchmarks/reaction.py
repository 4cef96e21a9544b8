"""How fast `watch` shows that a container has died, in one run with `docker events`."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from install import SMALL_IMAGE
from measure import Failed, Ratio, Skipped
from peers import needs_small_image, running
from targets import Bench, Target

PROJECT = "dartsctl-bench-reaction"
ROUNDS = 15
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
_EVENTS = [
    *("docker", "events", "--format", "{{json .}}", "--filter", "event=die"),
    *("--filter", f"label=com.docker.compose.project={PROJECT}"),
]
_SETTINGS = f"""
[prod]
project = "{PROJECT}"
files = ["compose.yaml"]
"""


@dataclass(frozen=True, slots=True)
class Reaction:
    """Medians over all rounds: of the stream, and of the first process's end."""

    stream: Ratio
    process: Ratio


@functools.cache
def _both(bench: Bench) -> Reaction:
    """Kill a container's first process some times, and compare when each line arrives."""
    needs_small_image()
    product = bench.product
    folder = product.place("reaction")
    file = folder / "compose.yaml"
    file.write_text(_COMPOSE.format(image=SMALL_IMAGE))
    (folder / "dartsctl.toml").write_text(_SETTINGS)
    arrivals: queue.SimpleQueue[tuple[str, float]] = queue.SimpleQueue()
    watch = [product.script, "watch", "--json"]
    with (
        running(PROJECT, file),
        _lines(_EVENTS, folder, product.environ, lambda _line: PEER, arrivals),
        _lines(watch, folder, product.environ, _source_of, arrivals),
    ):
        _await(arrivals, {"ready"})
        rounds = [_death(arrivals) for _ in range(ROUNDS + 1)]
    del rounds[0]  # does not count
    return Reaction(*(Ratio.of(_pairs(rounds, source)) for source in (STREAM, PROCESS)))


def _death(arrivals: queue.SimpleQueue[tuple[str, float]]) -> dict[str, float]:
    """Kill the process, return after how many seconds each line came, and start it again."""
    time.sleep(_SETTLED)
    began = _kill()
    moments = _await(arrivals, {STREAM, PROCESS, PEER})
    subprocess.run(["docker", "start", APP], capture_output=True, check=True)
    return {source: moment - began for source, moment in moments.items()}


def _pairs(rounds: Sequence[Mapping[str, float]], source: str) -> list[tuple[float, float]]:
    return [(seconds[source], seconds[PEER]) for seconds in rounds]


def _kill() -> float:
    """Kill the first process past the engine, and return when."""
    argv = ["docker", "inspect", "-f", "{{.State.Pid}}", APP]
    pid = int(subprocess.run(argv, capture_output=True, check=True).stdout)
    began = time.perf_counter()
    try:
        os.kill(pid, signal.SIGKILL)
    except PermissionError:
        raise Skipped("only root may kill the processes of containers") from None
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
            raise Failed(f"no line of {', '.join(sorted(sources - moments.keys()))}") from None
        if source in sources:
            moments.setdefault(source, moment)
    return moments


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


_NAME = "a death noticed by watch"
TARGETS = (
    Target(
        f"{_NAME}, engine's events",
        "docker events",
        1.05,
        measure=lambda bench: _both(bench).stream,
    ),
    Target(
        f"{_NAME}, first process", "docker events", 0.3, measure=lambda bench: _both(bench).process
    ),
)
