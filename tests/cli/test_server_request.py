"""What the request for a server says of its checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dartsctl.cli.server_options import ServerOptions
from dartsctl.cli.server_request import branch_of, run_request
from dartsctl.config.load_settings import load


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git repository with one commit on the branch `feature/one`."""
    folder = tmp_path / "checkout"
    git(tmp_path, "init", "-q", "-b", "feature/one", str(folder))
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return folder


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def test_the_branch_of_a_checkout_and_of_a_worktree(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "worktree", "add", "-q", "-b", "two", str(tmp_path / "worktree"))
    assert (branch_of(str(checkout)), branch_of(str(tmp_path / "worktree"))) == (
        "feature/one",
        "two",
    )


def test_a_detached_head_and_no_repository_have_no_branch(checkout: Path, tmp_path: Path) -> None:
    git(checkout, "checkout", "-q", "--detach")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / ".git").write_text("gitdir: /nonexistent\n")
    assert [branch_of(str(folder)) for folder in (checkout, tmp_path, tmp_path / "broken")] == [
        "",
        "",
        "",
    ]


def test_git_is_not_started_in_a_checkout(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "bin" / "git"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/executed\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    assert branch_of(str(checkout)) == "feature/one"
    assert not (tmp_path / "executed").exists()


def test_python_is_that_of_another_virtual_environment_where_there_is_no_dot_venv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)

    def python(folder: Path | None = None) -> tuple[str, bool]:
        if folder is not None:
            (folder / "bin").mkdir(parents=True)
            (folder / "bin/python").symlink_to(sys.executable)
            (folder / "lib/python3.12/site-packages").mkdir(parents=True)
            (folder / "pyvenv.cfg").write_text("version = 3.12.1\n")
        screen: Any = None
        request = run_request(load(tmp_path, {}), ServerOptions(), ("{python}",), screen)
        return request.python, request.python_is_ours

    assert python() == (sys.executable, True)
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "elsewhere"))
    assert python(tmp_path / "elsewhere") == (str(tmp_path / "elsewhere/bin/python"), False)
    assert python(tmp_path / "env") == (str(tmp_path / "env/bin/python"), False)
    assert python(tmp_path / ".venv") == (str(tmp_path / ".venv/bin/python"), False)
