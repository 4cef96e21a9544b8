"""The book of guards: one file each, and unreadable ones are skipped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dartsctl.edges.state.guard_book import GuardBook, GuardRecord
from dartsctl.errors import DartsctlError
from dartsctl.system.files import UnsafeFile
from two_users import ANN, Victim, as_user, needs_root, public_folder


def test_an_added_record_is_kept_until_it_is_forgotten(tmp_path: Path) -> None:
    book = GuardBook(tmp_path / "state")
    assert book.read() == ()
    book.add(Path("/src/two/.venv"), "darts")
    book.add(Path("/src/one/.venv"), "shop")
    book.add(Path("/src/two/.venv"), "darts")
    assert book.read() == (
        GuardRecord(Path("/src/one/.venv"), "shop"),
        GuardRecord(Path("/src/two/.venv"), "darts"),
    )
    book.forget(Path("/src/one/.venv"))
    book.forget(Path("/src/one/.venv"))
    assert book.read() == (GuardRecord(Path("/src/two/.venv"), "darts"),)


def test_it_is_private_and_leaves_no_temporary_files(tmp_path: Path) -> None:
    GuardBook(tmp_path / "state").add(Path("/src/.venv"), "darts")
    folder = tmp_path / "state" / "guards"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.suffix for path in folder.iterdir()] == [".json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "3",
        "[]",
        "{}",
        '{"venv": 3, "project": "x"}',
        '{"venv": "/x"}',
        "\xff",
        "[" * 60_000,
        '{"venv": "relative", "project": "x"}',
        '{"venv": "/\\u0000", "project": "x"}',
    ],
)
def test_a_broken_record_is_skipped(tmp_path: Path, text: str) -> None:
    book = GuardBook(tmp_path)
    book.add(Path("/src/.venv"), "darts")
    (tmp_path / "guards" / "broken.json").write_text(text, encoding="latin-1")
    assert book.read() == (GuardRecord(Path("/src/.venv"), "darts"),)


def test_an_unwritable_folder_is_reported_with_an_alternative(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    book = GuardBook(tmp_path / "state")
    with pytest.raises(DartsctlError, match=r"^cannot record the guard in ") as caught:
        book.add(Path("/src/.venv"), "darts")
    assert "DARTSCTL_STATE_DIR" in caught.value.hint
    assert book.read() == ()
    book.forget(Path("/src/.venv"))


@needs_root
def test_under_sudo_the_files_belong_to_the_caller(
    tmp_path: Path, sudo: None
) -> None:  # edge-cases.md#84
    os.chown(tmp_path, ANN, ANN)
    GuardBook(tmp_path).add(Path("/src/.venv"), "darts")
    assert {
        path.stat().st_uid for path in (tmp_path / "guards", *(tmp_path / "guards").iterdir())
    } == {ANN}


@needs_root
def test_root_under_sudo_follows_no_link_of_the_caller(tmp_path: Path, sudo: None) -> None:
    victim = Victim.at(tmp_path / "victim")
    with public_folder(ANN) as state:
        as_user(ANN, lambda: (state / "guards").symlink_to(tmp_path))
        for act in (
            lambda: GuardBook(state).add(Path("/src/.venv"), "darts"),
            GuardBook(state).read,
        ):
            with pytest.raises(UnsafeFile, match="guards is a symbolic link"):
                act()
        GuardBook(state).forget(Path("/src/.venv"))
    assert victim.is_untouched()
    assert list(tmp_path.iterdir()) == [victim.path]


@needs_root
def test_records_of_another_user_are_skipped() -> None:
    with public_folder(0, 0o1777) as state:
        as_user(ANN, lambda: GuardBook(state).add(Path("/srv/ann/.venv"), "darts"))
        assert GuardBook(state).read() == ()
        with pytest.raises(UnsafeFile, match="guards belongs to another user"):
            GuardBook(state).add(Path("/src/.venv"), "darts")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    GuardBook(tmp_path).add(Path("/src/.venv"), "darts")
    os.mkfifo(tmp_path / "guards" / "pipe.json")
    assert GuardBook(tmp_path).read() == (GuardRecord(Path("/src/.venv"), "darts"),)
