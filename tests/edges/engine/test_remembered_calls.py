"""Answers of Compose that are remembered until the files change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dartsctl.config.environment import Environment
from dartsctl.edges.engine.remembered_calls import RememberedCalls
from dartsctl.records import replace
from dartsctl.spawn import Completed
from fakes.deps import FakeClock

ARGV = ("compose", "config")


class Case:
    def __init__(self, folder: Path, text: str = "services: {}\n") -> None:
        self.file = folder / "compose.yml"
        self.file.write_text(text)
        self.env_file = folder / ".env.prod"
        self.environment = Environment(
            "prod", (self.file,), (self.env_file,), "shop", (), folder, is_production=True
        )
        self.clock = FakeClock()
        self.calls = RememberedCalls(60.0, self.clock.now)

    def keep(self, code: int = 0) -> None:
        done = Completed(ARGV, code, "{}", "")
        self.calls.keep(ARGV, done, self.calls.stamp(self.environment))

    def knows(self) -> bool:
        return self.calls.take(ARGV, self.environment) is not None


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_the_same_files_are_asked_about_once(case: Case) -> None:
    assert not case.knows()
    case.keep()
    assert case.knows()
    assert case.knows()
    assert case.calls.take((*ARGV, "--hash"), case.environment) is None


def test_a_changed_file_and_a_new_env_file_are_asked_about_again(case: Case) -> None:
    case.keep()
    case.file.write_text("services: {app: {}}\n")
    assert not case.knows()
    case.keep()
    case.env_file.write_text("A=1\n")
    assert not case.knows()
    case.keep()
    case.env_file.unlink()
    assert not case.knows()


def test_a_file_with_the_old_time_of_change_is_another_one(case: Case) -> None:
    status = case.file.stat()
    case.keep()
    case.file.write_text("services: []\n")
    os.utime(case.file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert not case.knows()


def test_an_answer_about_files_that_changed_meanwhile_is_of_the_old_ones(case: Case) -> None:
    before = case.calls.stamp(case.environment)
    case.file.write_text("services: {app: {}}\n")
    case.calls.keep(ARGV, Completed(ARGV, 0, "{}", ""), before)
    assert not case.knows()


def test_a_failure_is_not_remembered(case: Case) -> None:
    case.keep(code=1)
    assert not case.knows()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("services: {app: {image: a}}\n", 600),
        ("services: {app: {env_file: app.env}}\n", 60),
        ("include: [other.yml]\n", 60),
        ("services: {app: {extends: {file: base.yml, service: app}}}\n", 60),
    ],
)
def test_where_other_files_are_named_an_answer_is_soon_too_old(
    tmp_path: Path, text: str, seconds: float
) -> None:
    case = Case(tmp_path, text)
    case.keep()
    case.clock.seconds = seconds - 1
    assert case.knows()
    case.clock.seconds = seconds
    assert not case.knows()


def test_files_that_compose_picks_itself_are_asked_about_every_time(case: Case) -> None:
    case.environment = replace(case.environment, files=())
    case.keep()
    assert not case.knows()
