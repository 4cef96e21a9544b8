"""`init` on repositories of many shapes: accepted settings, no more than needed, and a verdict."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dartsctl.config.load_settings import load
from live.project_files import read_files, write_files
from live.repository_shapes import SHAPES

if TYPE_CHECKING:
    from live.in_process import RunHere

pytest_plugins = ("live.stack", "live.in_process")

_REASON = re.compile(r"  # [^\"]*$")


def statements(settings: str) -> str:
    """Return the settings without comments."""
    lines = [_REASON.sub("", line) for line in settings.splitlines() if not line.startswith("#")]
    return "".join(f"{line}\n" for line in lines if line)


@pytest.mark.engine
@pytest.mark.parametrize("name", SHAPES)
def test_the_settings_are_accepted_minimal_and_explained_and_the_checks_have_verdicts(
    run_here: RunHere, tmp_path: Path, name: str
) -> None:
    shape = SHAPES[name]
    folder = tmp_path / shape.folder
    write_files(tmp_path / shape.folder.partition("/")[0], shape.files)
    before = read_files(tmp_path)
    said = run_here(folder, "init", "--yes", "--json")
    assert said.code == 0, said.text
    after = read_files(tmp_path)
    assert {file: after[file] for file in before} == before
    text = (folder / "dartsctl.toml").read_text()
    assert statements(text) == shape.settings
    assert text.count("  # ") >= len(tomllib.loads(text))
    load(folder, {})
    checks = {check["command"].split()[1]: check for check in said.document["checks"]}
    assert checks.keys() == shape.checks.keys()
    for environment, codes in shape.checks.items():
        assert checks[environment]["exit_code"] in codes, checks[environment]
    if len(after) > len(before) + 2:  # more than settings and an env file
        assert "nothing to do" in run_here(folder, "init").err
