"""The facts beside the figures: what cannot be read is unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

import install
import machine
from measure import Failed

pytestmark = pytest.mark.once


def test_the_cpu_is_named_as_the_kernel_names_it(tmp_path: Path) -> None:
    place = tmp_path / "cpuinfo"
    place.write_text("processor\t: 0\nmodel name\t: AMD EPYC 9R14: boost\nmodel name\t: other\n")
    assert machine.cpu(place) == "AMD EPYC 9R14: boost"


def test_a_program_that_fails_or_is_missing_is_unknown() -> None:
    assert machine.output("git", "no-such-verb") is None
    assert machine.output("no-such-program-anywhere") is None


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Docker version 28.2.2, build e6534b4", "28.2.2"),
        ("Docker version 20.10.24+dfsg1, build 297e128", "20.10.24+dfsg1"),
        ("podman", None),
        (None, None),
    ],
)
def test_the_version_of_docker_needs_no_engine(text: str | None, version: str | None) -> None:
    assert machine.docker_version(text) == version


@pytest.mark.parametrize(
    ("docker", "engine", "text"),
    [
        (None, None, "no docker"),
        ("28.2.2", None, "docker 28.2.2, Compose 2.40.3, no engine"),
        ("28.2.2", "28.5.2", "docker 28.2.2, Compose 2.40.3, engine 28.5.2"),
    ],
)
def test_docker_is_named_as_far_as_it_is_there(
    docker: str | None, engine: str | None, text: str
) -> None:
    facts = {"docker": docker, "compose": "2.40.3", "engine": engine}
    assert machine.docker(facts) == text


def test_the_wheel_is_built_again_when_a_source_has_changed(tmp_path: Path) -> None:
    package = tmp_path / "src" / "dartsctl"
    (package / "__pycache__").mkdir(parents=True)
    (package / "spawn.py").write_text("x = 1\n")
    (tmp_path / ".env.example").write_text("A=1\n")
    before = install.digest_of(tmp_path)
    (package / "__pycache__" / "spawn.pyc").write_text("")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text("")
    assert install.digest_of(tmp_path) == before
    (tmp_path / ".env.example").write_text("A=2\n")
    changed = install.digest_of(tmp_path)
    assert changed != before
    (package / "spawn.py").rename(package / "spawn2.py")
    assert install.digest_of(tmp_path) not in (before, changed)


def test_a_commit_that_git_does_not_know_is_named() -> None:
    with pytest.raises(Failed, match="no commit 'no-such-ref' in this repository"):
        install.commit_of("no-such-ref")
