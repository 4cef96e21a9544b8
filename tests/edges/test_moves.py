"""The book of moved ports: two private files that are replaced at once, and a broken one counts as none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dartsctl.edges.moves import MoveBook
from dartsctl.errors import DartsctlError
from dartsctl.remapping import Move

MOVES = (Move("web", 80, "tcp", "8080", 18080), Move("db", 5432, "tcp", "5432-5440", 15432))


def test_what_is_kept_is_found_again_by_the_same_project_alone(tmp_path: Path) -> None:
    path = MoveBook(tmp_path, "darts-dev").keep(MOVES, "services: {}\n")
    assert MoveBook(tmp_path, "darts-dev").read() == MOVES
    assert MoveBook(tmp_path, "other").read() == ()
    assert path == MoveBook(tmp_path, "darts-dev").override
    assert path.read_text() == "services: {}\n"


def test_both_files_are_private_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = MoveBook(tmp_path / "state", "darts-dev").keep(MOVES, "")
    assert sorted(one.name for one in path.parent.iterdir()) == ["darts-dev.json", "darts-dev.yml"]
    assert {one.stat().st_mode & 0o777 for one in path.parent.iterdir()} == {0o600}


def test_to_keep_again_replaces(tmp_path: Path) -> None:
    book = MoveBook(tmp_path, "darts-dev")
    book.keep(MOVES, "old")
    assert book.keep(MOVES[:1], "new").read_text() == "new"
    assert book.read() == MOVES[:1]


def test_to_forget_removes_both_and_says_whether_there_was_anything(tmp_path: Path) -> None:
    book = MoveBook(tmp_path, "darts-dev")
    assert not book.forget()
    path = book.keep(MOVES, "")
    assert book.forget()
    assert book.read() == ()
    assert not path.exists()
    assert not book.forget()


@pytest.mark.parametrize("text", ["", "{", "{}", "3", "null", "[3]", '["x"]', '[{"service": "web"}]', "\xff", '{"a": 1}'])
def test_a_broken_record_reads_as_no_moves(tmp_path: Path, text: str) -> None:
    (tmp_path / "overrides").mkdir()
    (tmp_path / "overrides" / "darts-dev.json").write_text(text, encoding="latin-1")
    assert MoveBook(tmp_path, "darts-dev").read() == ()


def test_a_record_with_wrong_types_reads_as_no_moves(tmp_path: Path) -> None:
    book = MoveBook(tmp_path, "darts-dev")
    path = book.keep(MOVES, "").with_suffix(".json")
    path.write_text(path.read_text().replace("18080", '"18080"'))
    assert book.read() == ()


def test_a_folder_that_cannot_be_written_is_said_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(DartsctlError, match="cannot be kept") as caught:
        MoveBook(tmp_path / "state", "darts-dev").keep(MOVES, "")
    assert "DARTSCTL_STATE_DIR" in caught.value.hint


def test_what_cannot_be_replaced_leaves_no_piece_behind(tmp_path: Path) -> None:
    book = MoveBook(tmp_path, "darts-dev")
    book.override.mkdir(parents=True)
    with pytest.raises(DartsctlError):
        book.keep(MOVES, "")
    assert [one.name for one in book.override.parent.iterdir()] == ["darts-dev.yml"]
    with pytest.raises(DartsctlError):
        book.forget()


def test_under_sudo_the_files_are_the_callers(tmp_path: Path) -> None:  # EDGE 84
    if os.geteuid():
        pytest.skip("needs root")
    os.chown(tmp_path, 65534, 65534)
    path = MoveBook(tmp_path, "darts-dev").keep(MOVES, "")
    assert {one.stat().st_uid for one in (path, path.parent, path.with_suffix(".json"))} == {65534}
