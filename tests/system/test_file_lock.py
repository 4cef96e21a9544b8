"""Locks on real files."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from dartsctl.system.file_lock import LockTimeout, lock


def test_the_wait_for_a_lock_ends_at_the_deadline(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    ours, theirs = os.open(path, os.O_RDWR), os.open(path, os.O_RDONLY)
    fcntl.flock(theirs, fcntl.LOCK_SH)
    with pytest.raises(LockTimeout, match="lock is locked by another process"):
        lock(ours, path, within=0.05)
    os.close(theirs)
    lock(ours, path, within=0)
    os.close(ours)
