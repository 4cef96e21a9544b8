"""An engine that is endlessly slow, or sends endless data.

Every verb ends in time, with little memory, one error and code 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fakes import hostile_engine
from fakes.hostile_engine import Behaviour, engine

if TYPE_CHECKING:
    from fakes.plain_project import Project

pytest_plugins = ("fakes.plain_project",)

pytestmark = pytest.mark.once

VERBS = ("check -f compose.json", "prod check", "prod up", "prod ps", "prod down", "doctor", "dev")
WITHIN = 120
MEGABYTES = 150


@pytest.mark.parametrize(
    ("behaviour", "sentence"),
    [
        (hostile_engine.drips, "did not answer within 10 s"),
        (hostile_engine.drips_after_its_version, "did not answer within 10 s"),
        (hostile_engine.is_silent, "did not answer within 10 s"),
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
    with engine(project.folder, behaviour) as address:
        ended = project.measure(*VERBS, "ports", within=WITHIN, DOCKER_HOST=address)
    for call in ended:
        assert call.seconds < WITHIN * 0.75, call
        assert call.megabytes < MEGABYTES, call
        # `ports` also shows what does not come from the engine
        assert call.code == (0 if call.words == "ports" else 5), call
        assert "Traceback" not in call.err
        if call.words not in ("ports", "doctor"):
            assert sentence in call.error


def test_a_hostile_engine_does_not_prevent_a_server_from_starting(project: Project) -> None:
    with engine(project.folder, hostile_engine.drips) as address:
        for words in ("run -- true", "dev --no-services"):
            ended = project.run(words, DOCKER_HOST=address)
            assert ended.code == 0, ended
            assert ended.seconds < 45
