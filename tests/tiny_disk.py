"""A file system with little room."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def tiny_disk(path: Path, *, kilobytes: int = 64) -> Iterator[None]:
    """Mount a file system of that size on `path`. Skip the test if this process may not mount."""
    words = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(path)]
    if (
        not shutil.which("mount")
        or subprocess.run(words, capture_output=True, check=False).returncode != 0
    ):
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
