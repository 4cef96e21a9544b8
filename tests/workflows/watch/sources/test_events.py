"""The source of the engine's events: a real engine behind a relay that is cut, hangs and floods."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from dartsctl.alerts.observations import Exited, Looked, Started
from dartsctl.edges.engine.address import endpoint
from dartsctl.edges.engine.connect import engine_at
from dartsctl.edges.host.running import RunningContainers
from dartsctl.stack.containers import PROJECT_LABEL
from dartsctl.workflows.watch.signals import LookWanted, Note, Noticed, Observed, Signal
from dartsctl.workflows.watch.sources.events import EventsSource, Pace
from dartsctl.workflows.watch.sources.processes import ProcessSource
from fakes.deps import FakeClock, fake_deps
from fakes.relay import Relay

PATIENCE = 60.0
"""Seconds until a test gives up; a good run needs far less."""
IMAGE = "dartsctl-test/busybox:1"
ENDS_ON_A_SIGNAL = "trap 'exit 7' USR1; while :; do sleep 0.1; done"
FLOOD = b'{"Action": "die", "Actor": {"ID": "x", "Attributes": {}}, "timeNano": 1}\n' * 5000

T = TypeVar("T")


@dataclass
class Heard:
    """The signals of sources, in order."""

    signals: queue.SimpleQueue[Signal] = field(default_factory=queue.SimpleQueue)
    passed: list[Signal] = field(default_factory=list)

    def until(self, pick: Callable[[Signal], T | None]) -> T:
        """Return the next thing that `pick` finds; what comes before it goes to `passed`."""
        until = time.monotonic() + PATIENCE
        while (left := until - time.monotonic()) > 0:
            try:
                signal = self.signals.get(timeout=left)
            except queue.Empty:
                break
            self.passed.append(signal)
            picked = pick(signal)
            if picked is not None:
                return picked
        pytest.fail(f"it never came; {self.passed[-10:]}")

    def exits(self, service: str) -> list[bool]:
        """Return whether each exit so far was planned."""
        exits = map(exited, self.passed)
        return [exit_.planned for exit_ in exits if exit_ and exit_.service == service]


def exited(signal: Signal) -> Exited | None:
    if isinstance(signal, Observed) and isinstance(signal.observation, Exited):
        return signal.observation
    return None


def started(signal: Signal) -> Started | None:
    if isinstance(signal, Observed) and isinstance(signal.observation, Started):
        return signal.observation
    return None


def looked(signal: Signal) -> Looked | None:
    if isinstance(signal, Observed) and isinstance(signal.observation, Looked):
        return signal.observation
    return None


def noticed(signal: Signal) -> Noticed | None:
    return signal if isinstance(signal, Noticed) else None


def noted(signal: Signal) -> Note | None:
    return signal if isinstance(signal, Note) else None


def end_by_itself(name: str) -> None:
    """Let the first process of a container end. The command that says so may end with it (137)."""
    words = ["docker", "exec", name, "kill", "-USR1", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 137), done.stderr


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Containers:
    """Containers of one project, with the labels that Compose gives them."""

    def __init__(self, project: str) -> None:
        self.project = project
        self.ids: list[str] = []

    def run(self, service: str, *options: str) -> str:
        name = f"{self.project}-{service}-1"
        labels = {PROJECT_LABEL: self.project, "com.docker.compose.service": service}
        words = [f"--label={key}={value}" for key, value in labels.items()]
        command = [IMAGE, "sh", "-c", ENDS_ON_A_SIGNAL]
        self.ids.append(docker("run", "-d", "--name", name, *words, *options, *command))
        return name

    def crash(self, name: str) -> None:
        """Let the first process end by itself."""
        end_by_itself(name)
        until = time.monotonic() + PATIENCE
        while docker("inspect", "-f", "{{.State.Status}}", name) == "running":
            assert time.monotonic() < until
            time.sleep(0.05)


@pytest.fixture
def containers(tmp_path: Path) -> Iterator[Containers]:
    made = Containers(f"dct-events-{os.getpid()}-{abs(hash(tmp_path)) % 10_000}")
    yield made
    docker("rm", "-f", *made.ids)


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    made = Relay(tmp_path / "relay.sock", endpoint(os.environ), FLOOD)
    yield made
    made.close()


@dataclass
class Sources:
    """Running sources, and what they say."""

    heard: Heard
    stop: threading.Event
    threads: list[threading.Thread]

    def end(self) -> float:
        """Return the seconds that it takes."""
        began = time.monotonic()
        self.stop.set()
        for thread in self.threads:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in self.threads)
        return time.monotonic() - began


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Callable[[str, str], Sources]]:
    running: list[Sources] = []

    def watch(address: str, project: str) -> Sources:
        deps = fake_deps(tmp_path, FakeClock(), now=time.time, monotonic=time.monotonic)
        control = engine_at(address, deadline=5.0).control()
        assert control
        known = RunningContainers()
        pace = Pace(ping_after=0.5, longest_pause=0.3)
        events = EventsSource(
            project, control, known, command="dartsctl doctor", deps=deps, pace=pace
        )
        processes = ProcessSource(
            known, clock=time.time, monotonic=time.monotonic, detail=lambda _text: None
        )
        sources = Sources(Heard(), threading.Event(), [])
        for source in (events, processes):
            arguments = (sources.heard.signals.put, sources.stop)
            sources.threads.append(threading.Thread(target=source.run, args=arguments))
            sources.threads[-1].start()
        running.append(sources)
        return sources

    yield watch
    for sources in running:
        sources.end()


@pytest.mark.engine
def test_an_end_is_noticed_by_its_process_and_by_its_event_and_told_as_planned_or_not(
    containers: Containers, relay: Relay, watching: Callable[[str, str], Sources]
) -> None:
    watched = watching(relay.address, containers.project)
    heard = watched.heard
    app = containers.run("app")
    heard.until(started)
    other = containers.run("other", "--restart=always")
    heard.until(started)
    relay.change("delays")  # its event cannot come first
    containers.crash(app)
    if os.geteuid() == 0:
        assert heard.until(noticed).source == "process"
    relay.change("passes")
    crash = heard.until(exited)
    assert (crash.planned, crash.comes_back) == (False, False)
    assert crash.problem.sentence == "app ended by itself with exit code 7"
    docker("kill", "-s", "HUP", other)
    docker("stop", "-t", "0", other)
    stop = heard.until(exited)
    assert (stop.service, stop.planned) == ("other", True)
    assert watched.end() < PATIENCE


@pytest.mark.engine
def test_nothing_is_missed_or_told_twice_when_the_engine_is_out_of_reach(
    containers: Containers,
    relay: Relay,
    watching: Callable[[str, str], Sources],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # edge-cases.md#77
    app, db, cache = (containers.run(name) for name in ("app", "db", "cache"))
    loop = containers.run("loop", "--restart=always")
    heard = watching(relay.address, containers.project).heard
    runs = {heard.until(started).service for _ in range(4)}  # a saved state may say otherwise
    assert runs == {"app", "db", "cache", "loop"}
    docker("pause", cache)  # when this is seen, the first list was made
    heard.until(lambda signal: isinstance(signal, LookWanted) or None)

    relay.change("is_cut")
    (problem,) = heard.until(looked).problems
    assert (str(problem.subject), problem.cause) == ("engine", "engine-down")
    containers.crash(app)
    docker("stop", "-t", "0", db)
    relay.change("passes")
    assert heard.until(looked).problems == ()
    heard.until(exited)
    heard.until(exited)

    relay.change("hangs")
    docker("kill", cache)
    (problem,) = heard.until(looked).problems
    assert "did not answer within 5 s" in problem.sentence
    relay.change("passes")
    assert heard.until(looked).problems == ()
    assert heard.until(exited).service == "cache"

    monkeypatch.setattr("dartsctl.edges.engine.events.FLOOD", 2_000)
    relay.change("floods")
    assert "more than 2000 events" in heard.until(noted).text
    end_by_itself(loop)
    crash = heard.until(exited)
    assert (crash.service, crash.comes_back) == ("loop", True)
    heard.until(started)
    docker("rm", "-f", app)
    assert heard.until(exited).planned
    assert heard.exits("app") == [False, True]
    assert heard.exits("db") == [True]
    assert heard.exits("cache") == [True]
    assert heard.exits("loop") == [False]
