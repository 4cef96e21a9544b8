"""What the texts of Compose files mention, before Compose is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.config.listing import may_have_profiles


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("services:\n  web: {image: x, profiles: [web]}\n", True),
        ("include: [base.yml]\nservices: {}\n", True),
        ("services:\n  web: {image: x}\n", False),
    ],
)
def test_profiles_are_in_the_text_or_in_what_it_includes(
    tmp_path: Path, text: str, may: bool
) -> None:
    (tmp_path / "compose.yaml").write_text(text)
    assert may_have_profiles([tmp_path / "compose.yaml"]) is may


def test_a_file_that_cannot_be_read_mentions_none(tmp_path: Path) -> None:
    assert not may_have_profiles([tmp_path / "missing.yml"])
