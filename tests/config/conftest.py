"""What the tests of the settings share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project's folder."""
    folder = tmp_path / "shop"
    folder.mkdir()
    return folder
