"""An engine that is endlessly slow, or sends endless data.

Every verb ends in time, with little memory, one error and code 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from fakes import hostile_engine
from fakes.hostile_engine import Behaviour, engine

if TYPE_CHECKING:
    from fakes.plain_project import Measured, Project

pytest_plugins = ("fakes.plain_project",)

pytestmark = pytest.mark.once

VERBS = ("check -f compose.json", "prod check", "prod up", "prod ps", "prod down", "doctor", "dev")
WITHIN = 120
MEGABYTES = 150


SLOW = (
    hostile_engine.drips,
    hostile_engine.drips_after_its_version,
    hostile_engine.is_silent,
)


def measured(project: Project, behaviour: Behaviour) -> list[Measured]:
    """Return how every verb ends with such an engine."""
    with engine(project.folder, behaviour) as address:
        return project.measure(*VERBS, "ports", within=WITHIN, DOCKER_HOST=address)


def assert_ended_well(ended: Sequence[Measured], sentence: str) -> None:
    for call in ended:
        assert call.seconds < WITHIN * 0.75, call
        assert call.megabytes < MEGABYTES, call
        # `ports` also shows what does not come from the engine
        assert call.code == (0 if call.words == "ports" else 5), call
        assert "Traceback" not in call.err
        if call.words not in ("ports", "doctor"):
            assert sentence in call.error


@pytest.fixture(scope="module")
def with_slow_engines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Measured]]:
    """How every verb ends with each slow engine: all at once, since all that they do is wait."""
    from fakes.plain_project import make_project

    state = str(tmp_path_factory.mktemp("state"))
    with ThreadPoolExecutor(len(SLOW)) as pool:
        ended = {}
        for behaviour in SLOW:
            made = make_project(tmp_path_factory.mktemp("slow"))
            made.environ["DARTSCTL_STATE_DIR"] = state
            ended[behaviour.__name__] = pool.submit(measured, made, behaviour)
        return {name: future.result() for name, future in ended.items()}


@pytest.mark.parametrize("name", [behaviour.__name__ for behaviour in SLOW])
def test_with_a_slow_engine_every_verb_ends_in_time_and_in_little_memory(
    with_slow_engines: dict[str, list[Measured]], name: str
) -> None:
    assert_ended_well(with_slow_engines[name], "did not answer within 10 s")


@pytest.mark.parametrize(
    ("behaviour", "sentence"),
    [
        (hostile_engine.floods, "sent more than 16 MiB"),
        (hostile_engine.floods_with_headers, "sent more than 16 MiB"),
        (hostile_engine.floods_with_small_values, "more than 1000000 values"),
        (hostile_engine.ends_early, "the engine at"),
        (hostile_engine.hangs_up, "the engine at"),
        (hostile_engine.talks_nonsense, "the engine at"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_with_a_hostile_engine_every_verb_ends_in_time_and_in_little_memory(
    project: Project, behaviour: Behaviour, sentence: str
) -> None:
    assert_ended_well(measured(project, behaviour), sentence)


def test_a_hostile_engine_does_not_prevent_a_server_from_starting(project: Project) -> None:
    with engine(project.folder, hostile_engine.drips) as address:
        calls = ("run -- true", "dev --no-services")
        for ended in project.measure(*calls, within=60, DOCKER_HOST=address):
            assert ended.code == 0, ended
            assert ended.seconds < 45
