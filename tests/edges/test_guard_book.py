"""The book of guards: one file each, and what cannot be read is left out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dartsctl.edges.guard_book import GuardBook, Guarded
from dartsctl.errors import DartsctlError


def test_what_was_added_is_known_until_it_is_forgotten(tmp_path: Path) -> None:
    book = GuardBook(tmp_path / "state")
    assert book.read() == ()
    book.add(Path("/src/two/.venv"), "darts")
    book.add(Path("/src/one/.venv"), "shop")
    book.add(Path("/src/two/.venv"), "darts")
    assert book.read() == (Guarded(Path("/src/one/.venv"), "shop"), Guarded(Path("/src/two/.venv"), "darts"))
    book.forget(Path("/src/one/.venv"))
    book.forget(Path("/src/one/.venv"))
    assert book.read() == (Guarded(Path("/src/two/.venv"), "darts"),)


def test_it_is_private_and_leaves_no_pieces(tmp_path: Path) -> None:
    GuardBook(tmp_path / "state").add(Path("/src/.venv"), "darts")
    folder = tmp_path / "state" / "guards"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [one.suffix for one in folder.iterdir()] == [".json"]


@pytest.mark.parametrize("text", ["", "{", "3", "[]", "{}", '{"venv": 3, "project": "x"}', '{"venv": "/x"}', "\xff"])
def test_a_broken_entry_is_left_out(tmp_path: Path, text: str) -> None:
    book = GuardBook(tmp_path)
    book.add(Path("/src/.venv"), "darts")
    (tmp_path / "guards" / "broken.json").write_text(text, encoding="latin-1")
    assert book.read() == (Guarded(Path("/src/.venv"), "darts"),)


def test_a_folder_that_cannot_be_written_is_said_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    book = GuardBook(tmp_path / "state")
    with pytest.raises(DartsctlError, match="cannot be remembered") as caught:
        book.add(Path("/src/.venv"), "darts")
    assert "DARTSCTL_STATE_DIR" in caught.value.hint
    assert book.read() == ()
    book.forget(Path("/src/.venv"))


def test_under_sudo_the_files_are_the_callers(tmp_path: Path) -> None:  # EDGE 84
    if os.geteuid():
        pytest.skip("needs root")
    os.chown(tmp_path, 65534, 65534)
    GuardBook(tmp_path).add(Path("/src/.venv"), "darts")
    assert {one.stat().st_uid for one in (tmp_path / "guards", *(tmp_path / "guards").iterdir())} == {65534}
