"""The source of first processes: noticed at once, a look if the engine does not confirm it."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dartsctl.edges.host.first_process import CannotWatch, FirstProcesses
from dartsctl.edges.host.running import RunningContainer, RunningContainers
from dartsctl.workflows.watch.signals import LookWanted, Noticed, Signal
from dartsctl.workflows.watch.sources.processes import ProcessSource

PATIENCE = 60.0
CONTAINER = "a1" * 32


@dataclass
class Watching:
    """A running source, and a process that stands in for a container's."""

    folder: Path
    running: RunningContainers = field(default_factory=RunningContainers)
    signals: queue.SimpleQueue[Signal] = field(default_factory=queue.SimpleQueue)
    details: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def source(self) -> ProcessSource:
        return ProcessSource(
            self.running,
            clock=time.time,
            monotonic=time.monotonic,
            detail=self.details.append,
            watch=lambda: FirstProcesses(self.folder),
        )

    def begin(self, service: str, pid: int) -> None:
        (self.folder / str(pid)).mkdir()
        (self.folder / str(pid) / "cgroup").write_text(f"0::/docker/{CONTAINER}\n")
        self.running.started(RunningContainer(CONTAINER, service, pid))


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Watching]:
    if sys.platform != "linux":
        pytest.skip("pidfd is Linux only")
    made = Watching(tmp_path)
    thread = threading.Thread(target=made.source().run, args=(made.signals.put, made.stop))
    thread.start()
    yield made
    made.stop.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_an_end_is_noticed_and_without_an_event_a_look_is_wanted(watching: Watching) -> None:
    with subprocess.Popen(["sleep", "600"]) as process:
        watching.begin("app", process.pid)
        process.kill()
        noticed = watching.signals.get(timeout=PATIENCE)
    assert isinstance(noticed, Noticed)
    assert (noticed.source, noticed.service) == ("process", "app")
    assert noticed.what == "its first process ended"
    look = watching.signals.get(timeout=PATIENCE)
    assert look == LookWanted("the first process of app ended")


def test_with_the_event_no_look_is_wanted_and_the_next_process_is_watched(
    watching: Watching,
) -> None:
    for service in ("first", "second"):
        with subprocess.Popen(["sleep", "600"]) as process:
            watching.begin(service, process.pid)
            process.kill()
            noticed = watching.signals.get(timeout=PATIENCE)
            watching.running.ended(CONTAINER)
        assert isinstance(noticed, Noticed)
        assert noticed.service == service
    assert watching.signals.empty()


def test_a_process_that_cannot_be_watched_is_told_once_and_only_with_verbose(
    tmp_path: Path,
) -> None:
    watching = Watching(tmp_path)
    watching.running.started(RunningContainer(CONTAINER, "app", 0))
    watching.running.started(RunningContainer("b2" * 32, "db", 0))
    watching.running.changed = watching.stop.set
    thread = threading.Thread(
        target=watching.source().run, args=(watching.signals.put, watching.stop)
    )
    thread.start()
    until = time.monotonic() + PATIENCE
    while not watching.details and time.monotonic() < until:
        time.sleep(0.01)
    watching.stop.set()
    thread.join(PATIENCE)
    (detail,) = watching.details
    assert detail.startswith("the ends of containers are seen by the engine's events only: ")
    assert watching.signals.empty()


def test_a_system_without_pidfd_does_nothing() -> None:
    def refuses() -> FirstProcesses:
        raise CannotWatch("this system has no pidfd")

    details: list[str] = []
    source = ProcessSource(
        RunningContainers(),
        clock=time.time,
        monotonic=time.monotonic,
        detail=details.append,
        watch=refuses,
    )
    source.run(lambda _signal: None, threading.Event())
    assert details == [
        "the ends of containers are seen by the engine's events only: this system has no pidfd"
    ]
