"""What the texts of Compose files mention, before Compose is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.config.listing import bases_for, may_have_profiles, names_in
from two_users import NOBODY, as_user, needs_root, public_folder


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


@pytest.mark.parametrize(
    ("overlay", "names", "bases"),
    [
        ("compose.prod.yaml", ("compose.yaml",), ("compose.yaml",)),
        (
            "compose/prod.yml",
            ("compose/base.yml", "compose.yaml"),
            ("compose/base.yml", "compose.yaml"),
        ),
        ("prod.compose.yml", ("compose.common.yml", "common.txt"), ("compose.common.yml",)),
        ("compose.yaml", ("other.yml",), ()),
    ],
)
def test_the_bases_of_an_overlay_are_beside_it_and_above(
    tmp_path: Path, overlay: str, names: tuple[str, ...], bases: tuple[str, ...]
) -> None:
    (tmp_path / "compose").mkdir()
    (tmp_path / "base.yml").mkdir()
    for name in (overlay, *names):
        (tmp_path / name).touch()
    assert bases_for(tmp_path / overlay) == tuple(tmp_path / name for name in bases)


@needs_root
def test_a_folder_without_access_has_no_files() -> None:
    with public_folder() as root:
        (root / "compose.yaml").touch()
        (root / "docker").mkdir(mode=0o755)
        (root / "docker" / "compose.dev.yaml").touch()
        (root / "docker" / "compose.prod.yaml").symlink_to("missing")
        (root / "docker").chmod(0o644)
        assert as_user(NOBODY, lambda: names_in(root)) == "('compose.yaml',)"
