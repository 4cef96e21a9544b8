"""The source for an engine whose containers are only listed."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dartsctl.alerts.observations import Looked, Started
from dartsctl.errors import DockerUnavailable
from dartsctl.records import replace
from dartsctl.stack.containers import PROJECT_LABEL, Container
from dartsctl.workflows.watch.signals import LookWanted, Note, Noticed, Observed, Signal
from dartsctl.workflows.watch.sources.listed import ListedSource
from fakes.deps import FakeClock, fake_deps


def container(service: str, state: str, **labels: str) -> Container:
    own = {PROJECT_LABEL: "shop", "com.docker.compose.service": service, **labels}
    return Container(service, f"shop-{service}-1", "image", state, labels=own)


UP, DOWN = container("app", "running"), container("app", "exited")
GONE = DockerUnavailable("no Docker engine answers at ssh://box", hint="docker info")


class ListedEngine:
    """Answers with one list after another."""

    address = "ssh://box"

    def __init__(self, *answers: tuple[Container, ...] | DockerUnavailable) -> None:
        self.answers = list(answers)

    def containers(self) -> tuple[Container, ...]:
        answer = self.answers.pop(0)
        if isinstance(answer, DockerUnavailable):
            raise answer
        return answer


@dataclass
class StopsWhenAllIsSaid(threading.Event):
    """Ends the source after the engine's last answer."""

    engine: ListedEngine

    def is_set(self) -> bool:
        return not self.engine.answers

    def wait(self, _timeout: float | None = None) -> bool:
        return self.is_set()


def said(tmp_path: Path, *answers: Any) -> list[Signal]:
    """Return what the source says, after its first note."""
    engine = ListedEngine(*answers)
    signals: list[Signal] = []
    source = ListedSource("shop", engine, deps=fake_deps(tmp_path, FakeClock()))  # type: ignore[arg-type]
    source.run(signals.append, StopsWhenAllIsSaid(engine))
    note, *others = signals
    assert isinstance(note, Note)
    assert note.text == (
        "the engine at ssh://box has no events here: its containers are listed every 30 s, "
        "and a planned stop looks like a crash"
    )
    return others


def test_what_runs_no_more_asks_for_a_look_and_what_runs_again_is_a_start(tmp_path: Path) -> None:
    assert said(tmp_path, (UP,), (UP,), (DOWN,), (DOWN,), (UP,), ()) == [
        Observed(Started("app", "shop-app-1"), 0.0),
        Noticed("list", "app", "runs no more", 0.0),
        LookWanted("app runs no more"),
        Observed(Started("app", "shop-app-1"), 0.0),
        Noticed("list", "app", "runs no more", 0.0),
        LookWanted("app runs no more"),
    ]


def test_one_offs_and_other_projects_do_not_count(tmp_path: Path) -> None:
    one_off = container("app", "running", **{"com.docker.compose.oneoff": "True"})
    other = replace(UP, labels={PROJECT_LABEL: "other"})
    assert said(tmp_path, (one_off, other), ()) == []


def test_an_engine_that_is_gone_is_one_problem_until_it_answers_again(tmp_path: Path) -> None:
    _, gone, back, look, *deaths = said(tmp_path, (UP,), GONE, GONE, (DOWN,))
    assert isinstance(gone, Observed)
    assert isinstance(gone.observation, Looked)
    (problem,) = gone.observation.problems
    assert (str(problem.subject), problem.cause) == ("engine", "engine-down")
    assert (problem.sentence, problem.command) == (GONE.message, GONE.hint)
    assert back == Observed(Looked((), frozenset(("engine",))), 0.0)
    assert look == LookWanted("the engine answers again")
    assert deaths == [
        Noticed("list", "app", "runs no more", 0.0),
        LookWanted("app runs no more"),
    ]
