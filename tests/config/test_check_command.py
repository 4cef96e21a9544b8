"""The `dartsctl check` of a hint is the one to type next."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.config.check_command import check_command
from dartsctl.config.environment import adhoc


def test_the_hint_keeps_everything_that_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("base.yml", "more files.yml", "my.env"):
        (tmp_path / name).write_text("")
    environment = adhoc(
        files=(Path("base.yml"), Path("more files.yml")),
        env_files=(Path("my.env"),),
        project="shop",
        profiles=("debug",),
        directory=tmp_path,
    )
    assert check_command(environment, environment.files, ("web",)) == (
        "dartsctl check --file base.yml --file 'more files.yml' --env-file my.env"
        " --project shop --profile debug web"
    )


def test_a_file_outside_of_the_working_folder_keeps_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "base.yml").write_text("")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    environment = adhoc(files=(tmp_path / "base.yml",), directory=tmp_path)
    expected = f"dartsctl check --file {tmp_path}/base.yml"
    assert check_command(environment, environment.files) == expected
