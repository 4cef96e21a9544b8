"""Root's `guard status` and `prod check` with records of another user in a shared folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from dartsctl.edges.project import guards
from dartsctl.edges.state.guard_book import ForeignGuardRecord, GuardBook
from two_users import BOB, as_user, needs_root, public_folder

pytestmark = needs_root


@pytest.fixture
def shared() -> Iterator[Path]:
    """A public state folder with a record of another user, whose Python leaves a trace."""
    with public_folder(mode=0o1777) as folder:
        trap = folder / "their-venv"
        venv.create(trap, symlinks=True)
        guards.install(next(trap.glob("lib/python*/site-packages")), {5000: "darts-app"})
        python = trap / "bin" / "python"
        python.unlink()
        python.write_text(f"#!/bin/sh\ntouch {folder}/executed\n")
        python.chmod(0o755)
        for path in (trap, *trap.rglob("*")):
            os.chown(path, BOB, BOB, follow_symlinks=False)
        as_user(BOB, lambda: GuardBook(folder).add(trap, "app"))
        yield folder


def dartsctl(folder: Path, state: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "DARTSCTL_STATE_DIR": str(state), "DARTSCTL_GUARD": "on"}
    argv = [sys.executable, "-m", "dartsctl", *words]
    return subprocess.run(
        argv,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_root_sees_their_owner_and_executes_nothing(shared: Path, tmp_path: Path) -> None:
    assert GuardBook(shared).read() == ()
    assert GuardBook(shared).of_others() == (
        ForeignGuardRecord(str(shared / "their-venv"), str(BOB)),
    )
    said = dartsctl(tmp_path, shared, "guard", "status")
    assert f"guard of another user ({BOB}), not checked: {shared}/their-venv" in said.stderr
    document = json.loads(dartsctl(tmp_path, shared, "guard", "status", "--json").stdout)
    assert (document["guards"], document["of_others"]) == (
        [],
        [{"venv": f"{shared}/their-venv", "user": str(BOB)}],
    )
    assert not (shared / "executed").exists()


def test_even_a_named_environment_is_only_read(shared: Path, tmp_path: Path) -> None:
    done = dartsctl(
        tmp_path, shared, "guard", "status", "--venv", str(shared / "their-venv"), "--json"
    )
    (state,) = json.loads(done.stdout)["guards"]
    assert (state["installed"], state["active"]) == (True, True)
    assert not (shared / "executed").exists()
