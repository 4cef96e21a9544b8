"""The remembered versions of Compose programs: used only while the file is the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dartsctl.edges.state.compose_versions import ComposeVersions
from fakes.machines import write_script


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return write_script(tmp_path / "docker-compose", "echo 2.40.3")


def test_a_version_is_known_until_the_file_changes(tmp_path: Path, program: Path) -> None:
    versions = ComposeVersions(tmp_path / "state")
    assert versions.version_of(program) == ""
    versions.keep(program, "2.40.3")
    assert ComposeVersions(tmp_path / "state").version_of(program) == "2.40.3"
    os.utime(program, ns=(1, 1))
    assert versions.version_of(program) == ""


def test_a_missing_program_is_unknown(tmp_path: Path, program: Path) -> None:
    versions = ComposeVersions(tmp_path / "state")
    versions.keep(program, "2.40.3")
    program.unlink()
    assert versions.version_of(program) == ""


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "null", "[" * 100_000, '{"PROGRAM": 1}', '{"PROGRAM": {"file": "x"}}']
)
def test_a_broken_file_counts_as_empty(tmp_path: Path, program: Path, text: str) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "compose-versions.json").write_text(text.replace("PROGRAM", str(program)))
    versions = ComposeVersions(tmp_path / "state")
    assert versions.version_of(program) == ""
    versions.keep(program, "2.40.3")
    assert versions.version_of(program) == "2.40.3"


def test_an_unwritable_folder_is_no_error(tmp_path: Path, program: Path) -> None:
    (tmp_path / "state").write_text("a file")
    ComposeVersions(tmp_path / "state").keep(program, "2.40.3")


def test_only_the_last_programs_are_remembered(tmp_path: Path) -> None:
    versions = ComposeVersions(tmp_path / "state")
    programs = [write_script(tmp_path / str(number), "") for number in range(20)]
    for program in programs:
        versions.keep(program, "2.40.3")
    known = [bool(versions.version_of(program)) for program in programs]
    assert (sum(known), known[-1]) == (8, True)
