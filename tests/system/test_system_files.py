"""Files and folders are opened so that other users cannot redirect us.

The tests use real users, links, pipes, locks and disks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dartsctl.system.files import EVERYBODY, PRIVATE_FOLDER, PUBLIC_FOLDER, ForeignFile, UnsafeFile
from dartsctl.system.path_walk import open_folder
from tiny_disk import tiny_disk
from two_users import ANN, Victim, as_user, needs_root, public_folder


@pytest.fixture
def anns() -> Iterator[Path]:
    """Return a folder of another user in which root works."""
    with public_folder(ANN) as folder:
        yield folder


@pytest.fixture
def victim(tmp_path: Path) -> Victim:
    return Victim.at(tmp_path / "victim")


# --- folders -----------------------------------------------------------------------------------


@needs_root
def test_a_link_of_another_user_is_not_followed_on_the_way(anns: Path, tmp_path: Path) -> None:
    as_user(ANN, lambda: (anns / "state").symlink_to(tmp_path))
    with pytest.raises(UnsafeFile, match=r"state is a symbolic link of another user"):
        open_folder(anns / "state" / "dartsctl", make=PRIVATE_FOLDER)
    assert list(tmp_path.iterdir()) == []


@needs_root
def test_a_link_of_root_in_another_users_folder_is_not_followed(anns: Path, tmp_path: Path) -> None:
    """Its owner can replace it while we read it."""
    (anns / "state").symlink_to(tmp_path)
    with pytest.raises(UnsafeFile, match="symbolic link of another user"):
        open_folder(anns / "state")


def test_our_own_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "absolute").symlink_to(tmp_path / "real")
    (tmp_path / "relative").symlink_to("absolute")
    with open_folder(tmp_path / "relative" / ".." / "relative") as folder:
        assert folder.status.st_ino == (tmp_path / "real").stat().st_ino
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(UnsafeFile, match="too many symbolic links"):
        open_folder(tmp_path / "circle")


@needs_root
def test_folders_that_root_creates_belong_to_the_owner_of_the_parent(anns: Path) -> None:
    with open_folder(anns / "a" / "b", make=PUBLIC_FOLDER):
        assert [
            (path.stat().st_uid, path.stat().st_gid) for path in (anns / "a", anns / "a" / "b")
        ] == [(ANN, ANN)] * 2


@needs_root
def test_new_folders_can_be_given_to_another_user(tmp_path: Path) -> None:
    with open_folder(tmp_path / "a" / "b", make=PRIVATE_FOLDER, owner=(ANN, 4)):
        assert [
            (path.stat().st_uid, path.stat().st_gid)
            for path in (tmp_path / "a", tmp_path / "a" / "b")
        ] == [(ANN, 4)] * 2


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with open_folder(tmp_path / "public" / "inner", make=PUBLIC_FOLDER) as folder:
            folder.replace("private", b"x")
            folder.add("public", b"x", mode=0o644)
            folder.subfolder("own", make=PRIVATE_FOLDER).__exit__()
    finally:
        os.umask(before)
    modes = {
        path.relative_to(tmp_path).as_posix(): path.stat().st_mode & 0o777
        for path in tmp_path.rglob("*")
    }
    assert modes == {
        "public": 0o755,
        "public/inner": 0o755,
        "public/inner/private": 0o600,
        "public/inner/public": 0o644,
        "public/inner/own": 0o700,
    }


@needs_root
def test_the_owner_of_a_folder_is_checked(anns: Path) -> None:
    with pytest.raises(ForeignFile, match="belongs to another user"):
        open_folder(anns, owners=(0,))
    (anns / "inner").mkdir()
    os.chown(anns / "inner", ANN, ANN)
    with open_folder(anns) as folder:
        with pytest.raises(ForeignFile, match="inner belongs to another user"):
            folder.subfolder("inner")
        folder.subfolder("inner", owners=EVERYBODY).__exit__()


@needs_root
def test_the_sudo_callers_folder_is_trusted(anns: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", str(ANN))
    monkeypatch.setenv("SUDO_GID", str(ANN))
    with (
        open_folder(anns, make=PRIVATE_FOLDER) as folder,
        folder.subfolder("inner", make=PRIVATE_FOLDER) as inner,
    ):
        assert inner.status.st_uid == ANN


def test_anything_but_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    with open_folder(tmp_path) as folder:
        for name, words in {
            "link": "is a symbolic link",
            "file": "is a file",
            "pipe": "is a named pipe",
        }.items():
            with pytest.raises(UnsafeFile, match=f"{name} {words}"):
                folder.subfolder(name, make=PRIVATE_FOLDER)


def test_a_missing_folder_is_created_only_on_request(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_folder(tmp_path / "missing")
    with open_folder(tmp_path) as folder, pytest.raises(FileNotFoundError):
        folder.subfolder("missing")
    assert list(tmp_path.iterdir()) == []


# --- files -------------------------------------------------------------------------------------


def surprise_link(path: Path, victim: Victim) -> None:
    path.symlink_to(victim.path)


def surprise_hard_link(path: Path, victim: Victim) -> None:
    twin = path.with_name("twin")
    twin.write_text("")
    path.hardlink_to(twin)


def surprise_pipe(path: Path, victim: Victim) -> None:
    os.mkfifo(path)


def surprise_folder(path: Path, victim: Victim) -> None:
    path.mkdir()


def surprise_device(path: Path, victim: Victim) -> None:
    os.mknod(path, 0o20666, os.makedev(1, 7))  # /dev/full


SURPRISES = [
    surprise_link,
    surprise_hard_link,
    surprise_pipe,
    surprise_folder,
    pytest.param(surprise_device, marks=needs_root),
]


@pytest.mark.parametrize("plant", SURPRISES)
def test_a_surprising_file_is_neither_read_nor_changed(
    tmp_path: Path, victim: Victim, plant: Callable[[Path, Victim], None]
) -> None:
    plant(tmp_path / "name", victim)
    with open_folder(tmp_path) as folder:
        for act in (
            lambda: folder.read("name", limit=100),
            lambda: folder.open("name", os.O_RDWR),
            lambda: folder.replace("name", b"new"),
        ):
            with pytest.raises(UnsafeFile, match=r"name (is|has) a"):
                act()
        with pytest.raises(FileExistsError):
            folder.create("name")
        with pytest.raises(FileExistsError):
            folder.add("name", b"new")
    assert victim.is_untouched()
    assert not list(tmp_path.glob(".*.tmp"))


@needs_root
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    (tmp_path / "name").write_text("theirs")
    os.chown(tmp_path / "name", ANN, ANN)
    with open_folder(tmp_path) as folder:
        for act in (lambda: folder.read("name", limit=100), lambda: folder.replace("name", b"new")):
            with pytest.raises(ForeignFile, match="name belongs to another user"):
                act()
        assert folder.read("name", limit=100, owners=EVERYBODY) == b"theirs"


@needs_root
def test_what_root_writes_in_a_users_folder_belongs_to_the_user(anns: Path) -> None:
    with open_folder(anns) as folder:
        folder.replace("one", b"1")
        folder.add("two", b"2")
        os.close(folder.create("three"))
    assert {(path.stat().st_uid, path.stat().st_gid) for path in anns.iterdir()} == {(ANN, ANN)}


@needs_root
def test_an_existing_file_keeps_its_owner(anns: Path) -> None:
    """A file of root that a user moved into their folder is not given to that user."""
    (anns / "secret").write_text("root's")
    with open_folder(anns) as folder:
        os.close(folder.open("secret", os.O_RDWR))
    assert (anns / "secret").stat().st_uid == 0


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    os.truncate(os.open(tmp_path / "name", os.O_RDWR | os.O_CREAT), 10 << 30)
    with (
        open_folder(tmp_path) as folder,
        pytest.raises(UnsafeFile, match="name is larger than 100 bytes"),
    ):
        folder.read("name", limit=100)


def test_a_new_file_replaces_nothing_and_a_replaced_file_is_complete(tmp_path: Path) -> None:
    with open_folder(tmp_path) as folder:
        status = folder.add("name", b"first")
        assert status.st_ino == (tmp_path / "name").stat().st_ino
        folder.replace("name", b"second")
        assert folder.read("name", limit=100) == b"second"
        assert folder.names() == ["name"]
        assert folder.remove("name")
        assert not folder.remove("name")


@needs_root
def test_a_full_disk_leaves_no_partial_file(tmp_path: Path) -> None:
    with tiny_disk(tmp_path, kilobytes=16), open_folder(tmp_path) as folder:
        folder.replace("name", b"old")
        for act in (folder.replace, folder.add):
            with pytest.raises(OSError, match="No space left"):
                act("name" if act == folder.replace else "new", b"x" * 100_000)
        assert folder.names() == ["name"]
        assert folder.read("name", limit=100) == b"old"
