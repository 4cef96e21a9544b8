"""The book of moves: two private files, replaced atomically; a broken one counts as none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dartsctl.edges.state.moves import MoveBook
from dartsctl.errors import DartsctlError
from dartsctl.ports.moves import Move, NameMove, SharedMove
from dartsctl.system.files import UnsafeFile
from tiny_disk import tiny_disk
from two_users import ANN, NOBODY, Victim, as_user, needs_root, public_folder

MOVES = (
    Move("web", 80, "tcp", "8080", 18080),
    Move("db", 5432, "tcp", "5432-5440", 15432),
    NameMove("db", "the-db"),
    SharedMove("volume", "data", "the_data"),
)


def test_saved_moves_belong_to_their_project(tmp_path: Path) -> None:
    path = MoveBook(tmp_path, "darts-dev").keep(MOVES, "services: {}\n")
    assert MoveBook(tmp_path, "darts-dev").read() == MOVES
    assert MoveBook(tmp_path, "other").read() == ()
    assert path == MoveBook(tmp_path, "darts-dev").override
    assert path.read_text() == "services: {}\n"


def test_both_files_are_private_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = MoveBook(tmp_path / "state", "darts-dev").keep(MOVES, "")
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "darts-dev.json",
        "darts-dev.yml",
    ]
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


def test_saving_again_replaces(tmp_path: Path) -> None:
    book = MoveBook(tmp_path, "darts-dev")
    book.keep(MOVES, "old")
    assert book.keep(MOVES[:1], "new").read_text() == "new"
    assert book.read() == MOVES[:1]


def test_what_is_saved_already_is_not_written_again(tmp_path: Path) -> None:
    book = MoveBook(tmp_path, "darts-dev")
    path = book.keep(MOVES, "same")
    before = {file.name: file.stat().st_ino for file in path.parent.iterdir()}
    book.keep(MOVES, "same")
    assert {file.name: file.stat().st_ino for file in path.parent.iterdir()} == before
    book.keep(MOVES, "other")
    assert path.stat().st_ino != before[path.name]


def test_forgetting_removes_both_and_returns_whether_there_was_anything(tmp_path: Path) -> None:
    book = MoveBook(tmp_path, "darts-dev")
    assert not book.forget()
    path = book.keep(MOVES, "")
    assert book.forget()
    assert book.read() == ()
    assert not path.exists()
    assert not book.forget()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{}",
        '[{"service": "web", "old": 3}]',
        "3",
        "null",
        "[3]",
        '["x"]',
        '[{"service": "web"}]',
        "\xff",
        '{"a": 1}',
        "[" * 100_000,
    ],
)
def test_a_broken_record_reads_as_no_moves(tmp_path: Path, text: str) -> None:
    (tmp_path / "overrides").mkdir()
    (tmp_path / "overrides" / "darts-dev.json").write_text(text, encoding="latin-1")
    assert MoveBook(tmp_path, "darts-dev").read() == ()


def test_a_record_with_wrong_types_reads_as_no_moves(tmp_path: Path) -> None:
    book = MoveBook(tmp_path, "darts-dev")
    path = book.keep(MOVES, "").with_suffix(".json")
    path.write_text(path.read_text().replace("18080", '"18080"'))
    assert book.read() == ()


def test_an_unwritable_folder_is_reported_with_an_alternative(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(DartsctlError, match=r"^cannot save the remapped ports in ") as caught:
        MoveBook(tmp_path / "state", "darts-dev").keep(MOVES, "")
    assert "DARTSCTL_STATE_DIR" in caught.value.hint


def test_a_failed_replacement_leaves_no_temporary_file(tmp_path: Path) -> None:
    book = MoveBook(tmp_path, "darts-dev")
    book.override.mkdir(parents=True)
    with pytest.raises(DartsctlError):
        book.keep(MOVES, "")
    assert [file.name for file in book.override.parent.iterdir()] == ["darts-dev.yml"]
    with pytest.raises(DartsctlError):
        book.forget()


@needs_root
def test_under_sudo_the_files_belong_to_the_caller(
    tmp_path: Path, sudo: None
) -> None:  # edge-cases.md#84
    os.chown(tmp_path, ANN, ANN)
    path = MoveBook(tmp_path, "darts-dev").keep(MOVES, "")
    files = (path, path.parent, path.with_suffix(".json"))
    assert {file.stat().st_uid for file in files} == {ANN}


@pytest.mark.parametrize(
    "change",
    [{"new": 0}, {"new": 65536}, {"new": True}, {"target": "80"}, {"service": 3}, {"more": 1}],
)
def test_a_record_of_an_impossible_move_reads_as_no_moves(
    tmp_path: Path, change: dict[str, object]
) -> None:
    book = MoveBook(tmp_path, "darts-dev")
    path = book.keep(MOVES[:1], "").with_suffix(".json")
    path.write_text(json.dumps([{**json.loads(path.read_text())[0], **change}]))
    assert book.read() == ()


def plant_folder(state: Path, victim: Victim) -> None:
    (state / "overrides").symlink_to(victim.path.parent)


def plant_override(state: Path, victim: Victim) -> None:
    (state / "overrides").mkdir()
    (state / "overrides" / "darts-dev.yml").symlink_to(victim.path)


def plant_temporary_files(state: Path, victim: Victim) -> None:
    """The temporary names of earlier versions, for every process id."""
    (state / "overrides").mkdir()
    for pid in (os.getpid(), os.getppid()):
        (state / "overrides" / f".darts-dev.yml.{pid}").symlink_to(victim.path)


@needs_root
@pytest.mark.parametrize("plant", [plant_folder, plant_override, plant_temporary_files])
def test_root_under_sudo_follows_no_link_of_the_caller(
    tmp_path: Path, sudo: None, plant: Callable[[Path, Victim], None]
) -> None:
    victim = Victim.at(tmp_path / "victim")
    before = sorted(tmp_path.iterdir())
    with public_folder(ANN) as state:
        as_user(ANN, lambda: plant(state, victim))
        book = MoveBook(state, "darts-dev")
        if plant is plant_temporary_files:
            book.keep(MOVES, "")
        else:
            with pytest.raises(UnsafeFile, match="is a symbolic link"):
                book.keep(MOVES, "")
    assert victim.is_untouched()
    assert sorted(tmp_path.iterdir()) == before


@needs_root
def test_moves_of_another_user_are_ignored_and_not_replaced(tmp_path: Path) -> None:
    with public_folder(0, 0o1777) as state:
        assert as_user(
            ANN, lambda: MoveBook(state, "darts-dev").keep(MOVES, "services: {}")
        ).endswith("darts-dev.yml")
        book = MoveBook(state, "darts-dev")
        assert book.read() == ()
        assert not book.forget()
        with pytest.raises(UnsafeFile, match="overrides belongs to another user"):
            book.keep(MOVES, "")
        assert as_user(ANN, lambda: len(MoveBook(state, "darts-dev").read())) == str(len(MOVES))


@needs_root
def test_compose_gets_no_file_that_others_can_replace() -> None:
    with public_folder(0, 0o777) as state:
        with pytest.raises(UnsafeFile, match="lets other users replace the files in it") as caught:
            MoveBook(state, "darts-dev").keep(MOVES, "")
        assert caught.value.hint == f"chmod +t {state}"
        state.chmod(0o1777)
        path = MoveBook(state, "darts-dev").keep(MOVES, "ours")
        as_user(NOBODY, lambda: path.parent.rename(state / "away"))
        assert path.read_text() == "ours"


@needs_root
def test_a_full_disk_leaves_the_old_moves(tmp_path: Path) -> None:
    with tiny_disk(tmp_path):
        book = MoveBook(tmp_path, "darts-dev")
        book.keep(MOVES, "old")
        with pytest.raises(
            DartsctlError,
            match=r"^cannot save the remapped ports in .*/overrides: No space left on device",
        ):
            book.keep(MOVES[:1], "x" * 100_000)
        assert (book.read(), book.override.read_text()) == (MOVES, "old")
        assert len(list(book.override.parent.iterdir())) == 2
