"""What the request for a server says of its checkout."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dartsctl.cli.server_request import branch_of


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
