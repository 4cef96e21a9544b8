"""Checkouts of other shapes: a second worktree, and one on a read-only file system.

edge-cases.md#91
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)
pytestmark = pytest.mark.engine


def git(folder: Path, *words: str) -> None:
    identity = ("-c", "user.name=ann", "-c", "user.email=ann@example.org")
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Mount a folder read-only. Skip the test if this process may not mount."""
    words = ["mount", "--bind", str(folder), str(folder)]
    if (
        not shutil.which("mount")
        or subprocess.run(words, capture_output=True, check=False).returncode != 0
    ):
        pytest.skip("nothing can be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_second_worktree_starts_beside_the_first_and_shares_nothing(live: LiveStack) -> None:
    from live.stack import sleeper

    first = live.of(f"{live.project}-app-dev")
    linked = live.folder.parent / "Zweiter Baum ü"
    service = sleeper(
        f"127.0.0.1:{live.ports[0]}:80",
        container_name=f"{live.project}-db",
        volumes=["data:/data"],
    )
    volumes = {"data": {"name": f"{live.project}_data"}}
    (live.folder / "compose.yaml").write_text(
        json.dumps({"services": {"db": service}, "volumes": volumes})
    )
    (live.folder / "dartsctl.toml").write_text(f'name = "{live.project}-app"\n')
    git(live.folder, "init", "-q")
    git(live.folder, "add", ".")
    git(live.folder, "commit", "-qm", "files")
    git(live.folder, "worktree", "add", "-q", str(linked), "-b", "second")
    live.up("-p", first)
    before = live.identities(first)

    checked = live.run("dev", "check", "--json", cwd=linked).document
    second = live.of(checked["project"])
    assert second.startswith(f"{first}-")
    assert checked["hint"] == "dartsctl dev up --on-conflict remap"
    assert (
        f"volume {second}_data instead of {live.project}_data, without its data"
        in (checked["moves"])
    )
    started = live.run("dev", "up", "--on-conflict", "remap", cwd=linked)
    assert started.code == 0, started.err
    assert live.containers(second) == {f"{second}-db-1": "running"}
    assert live.identities(first) == before


def test_a_read_only_checkout_is_checked_and_init_says_in_one_sentence_why_it_writes_nothing(
    live: LiveStack,
) -> None:
    from live.stack import sleeper

    service = sleeper(f"127.0.0.1:{live.ports[0]}:80")
    (live.folder / "compose.yaml").write_text(json.dumps({"services": {"web": service}}))
    files = sorted(live.folder.iterdir())
    with read_only(live.folder):
        assert live.run("dev", "check").code == 0
        assert live.run("init", "--dry-run").code == 0
        said = live.run("init", "--yes")
        assert said.code == 1
        assert f"error: cannot write {live.folder}/dartsctl.toml: Read-only file system" in said.err
        assert "nothing was written" in said.err
    assert sorted(live.folder.iterdir()) == files
