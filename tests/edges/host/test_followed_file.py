"""A file that grows is followed across every kind of rotation."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dartsctl.edges.host.followed_file import FollowedFile


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "error.log"
    path.write_text("old\n")
    return path


@pytest.fixture
def followed(log: Path) -> Iterator[FollowedFile]:
    file = FollowedFile(log)
    yield file
    file.close()


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_what_is_appended_is_read_and_nothing_before(log: Path, followed: FollowedFile) -> None:
    assert followed.read() == b""
    append(log, "one\n")
    assert followed.read() == b"one\n"
    assert followed.read() == b""


def test_a_renamed_file_is_read_to_its_end_and_then_its_successor(
    log: Path, followed: FollowedFile
) -> None:
    append(log, "one\n")
    old = log.rename(log.with_suffix(".log.1"))
    log.touch()
    assert followed.read() == b"one\n"
    append(old, "late\n")  # the writer has the old file until it opens the new one
    assert followed.read() == b"late\n"
    append(log, "two\n")
    append(old, "last\n")
    assert [followed.read() for _ in range(4)] == [b"last\n", b"", b"two\n", b""]


def test_a_file_that_is_gone_for_a_while_is_followed_when_it_is_back(
    log: Path, followed: FollowedFile
) -> None:
    log.unlink()
    assert followed.read() == b""
    log.write_text("new\n")
    assert [followed.read(), followed.read()] == [b"", b"new\n"]


def test_a_file_that_was_copied_and_emptied_is_read_from_its_beginning(
    log: Path, followed: FollowedFile
) -> None:
    append(log, "one\n")
    assert followed.read() == b"one\n"
    shutil.copy(log, log.with_suffix(".log.1"))
    os.truncate(log, 0)
    append(log, "a\n")
    assert followed.read() == b"a\n"


def test_an_emptied_file_is_noticed_although_it_is_longer_again(
    log: Path, followed: FollowedFile
) -> None:
    append(log, "one\n")
    assert followed.read() == b"one\n"
    log.write_text("much more than there was before\n")
    assert followed.read() == b"much more than there was before\n"


def test_a_flood_is_read_in_pieces_and_skipped_where_it_is_too_much(
    log: Path, followed: FollowedFile
) -> None:
    with log.open("ab") as file:
        file.write(b"x" * (1 << 20))
    assert [len(followed.read()) for _ in range(5)] == [256 << 10] * 4 + [0]
    os.truncate(log, 100 << 20)
    assert followed.read() == b""
    assert followed.skipped == (99 << 20) - 4
    append(log, "end\n")
    assert followed.read() == b"end\n"


@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "missing"])
def test_what_is_no_regular_file_is_refused(tmp_path: Path, log: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "link":
        path.symlink_to(log)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(OSError, match=r"no regular file|symbolic links|No such file"):
        FollowedFile(path)


def test_a_successor_that_is_a_link_is_never_followed(
    log: Path, followed: FollowedFile, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret\n")
    log.unlink()
    log.symlink_to(tmp_path / "secret")
    assert [followed.read() for _ in range(3)] == [b""] * 3
