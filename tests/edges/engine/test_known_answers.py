"""Compose is asked about files again only when something that its answer depends on has changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dartsctl.config.environment import Environment, adhoc
from dartsctl.edges.engine.compose import Compose
from dartsctl.edges.engine.known_answers import question_about
from dartsctl.records import replace
from fakes.machines import write_script

WHOLE = "services:\n  web:\n    image: ${IMAGE:-busybox}\n"
MODEL = '{"name": "x", "services": {"web": {"image": "x"}}}'
OVERLAY = 'service "web" has neither an image nor a build context specified'


@dataclass
class Remembered:
    """Answers in memory."""

    answers: dict[str, bool] = field(default_factory=dict)

    def answer(self, question: str) -> bool | None:
        return self.answers.get(question)

    def keep(self, question: str, *, answer: bool) -> None:
        self.answers[question] = answer


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    (tmp_path / "compose.yaml").write_text(WHOLE)
    (tmp_path / ".env").write_text("A=1\n")
    return adhoc(files=[tmp_path / "compose.yaml"], directory=tmp_path)


def rewrite_at_the_same_time(file: Path, text: str) -> None:
    before = file.stat()
    file.write_text(text)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size


def question(environment: Environment, **environ: str) -> str:
    return question_about(environment, "complete", Path("/bin/sh"), environ)


def test_the_question_is_the_same_while_nothing_changes(environment: Environment) -> None:
    assert question(environment) == question(environment, HOME="/x", IMAGE="") != ""


@pytest.mark.parametrize(
    "change",
    [
        lambda own: own.files[0].write_text(WHOLE.replace("web", "app")),
        lambda own: (own.directory / ".env").write_text("IMAGE=\n"),
        lambda own: (own.directory / ".env").unlink(),
        lambda own: rewrite_at_the_same_time(own.directory / ".env", "A=2\n"),
    ],
    ids=["the file", "the env file", "no env file", "as long and as old as before"],
)
def test_a_changed_file_is_another_question(
    environment: Environment, change: Callable[[Environment], object]
) -> None:
    before = question(environment)
    change(environment)
    assert question(environment) != before


def test_projects_profiles_and_programs_make_another_question(environment: Environment) -> None:
    questions = {
        question(environment),
        question(environment, COMPOSE_PROFILES="a"),
        question(environment, COMPOSE_PROFILES="b"),
        question(replace(environment, project="x")),
        question(replace(environment, profiles=("dev",))),
        question_about(environment, "profile", Path("/bin/sh"), {}),
        question_about(environment, "complete", Path("/bin/ls"), {}),
    }
    assert len(questions) == 7
    assert "" not in questions


@pytest.mark.parametrize(
    ("env_file", "exported"),
    [("A=1\n", "IMAGE"), ("IMAGE=${NEWEST}\n", "NEWEST"), ("A=1\n", "COMPOSE_ENV_FILES")],
    ids=["in the file", "in the env file", "in files that Compose is told of"],
)
def test_exported_variables_that_decide_are_asked_about_every_time(
    environment: Environment, env_file: str, exported: str
) -> None:
    (environment.directory / ".env").write_text(env_file)
    assert question(environment, **{exported: "x"}) == ""


@pytest.mark.parametrize("text", ["include: [x.yml]\n", "services: {a: {extends: {file: b}}}\n"])
def test_files_that_use_others_are_asked_about_every_time(
    environment: Environment, text: str
) -> None:
    environment.files[0].write_text(text)
    assert question(environment) == ""


def test_a_file_that_cannot_be_read_is_asked_about_every_time(environment: Environment) -> None:
    environment.files[0].unlink()
    assert question(environment) == ""


@pytest.mark.parametrize(
    ("answer", "is_complete", "calls"),
    [
        (f"echo '{MODEL}'", True, 1),
        ('echo \'{"name": "x", "services": {}}\'', False, 1),  # only volumes
        (f"echo '{OVERLAY}' >&2; exit 15", False, 1),
        ("echo >> compose.yaml; echo '" + MODEL + "'", True, 2),
        # an error that may have hidden that it is an overlay
        ("echo 'env file /x/.env.web not found' >&2; exit 14", True, 2),
    ],
    ids=["whole", "without services", "overlay", "changed while read", "unknown"],
)
def test_compose_is_asked_once_if_its_answer_is_certain(
    environment: Environment,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    is_complete: bool,
    calls: int,
) -> None:
    folder = environment.directory
    log = folder / "calls"
    program = folder / "docker" / "cli-plugins" / "docker-compose"
    program.parent.mkdir(parents=True)
    version = 'case "$*" in *version*) echo 2.40.3; exit ;; esac'
    write_script(program, f"{version}\necho config >> {log}\n{answer}")
    monkeypatch.setenv("DOCKER_CONFIG", os.fspath(folder / "docker"))
    monkeypatch.chdir(folder)
    known = Remembered()
    for _ in range(2):
        assert Compose(environment, answers=known).is_complete() == is_complete
    assert len(log.read_text().splitlines()) == calls
