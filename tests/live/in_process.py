"""dartsctl in the test's own process: a whole verb without the start of an interpreter."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dartsctl.cli import main

if TYPE_CHECKING:
    from live.stack import Said

    RunHere = Callable[..., Said]


@pytest.fixture
def run_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> RunHere:
    """`run_here(folder, "init", "--yes")`, without a terminal; the folder is `tmp_path` if None."""

    def run(folder: Path | None, *words: str) -> Said:
        from live.stack import Said

        capsys.readouterr()
        with contextlib.chdir(folder or tmp_path):
            code = main(words)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run
