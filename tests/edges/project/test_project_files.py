"""New files in somebody's project: nothing is overwritten, each is complete, all or none."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from dartsctl.edges.project.files import file_transaction, template, template_mode, template_names
from dartsctl.errors import DartsctlError
from dartsctl.system.users import user_name
from tiny_disk import tiny_disk
from two_users import ANN, NOBODY, Victim, as_user, needs_root, public_folder

REPOSITORY = Path(__file__).parents[3]


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def create(*paths: Path) -> None:
    """All of them, or none."""
    with file_transaction() as files:
        for path in paths:
            files.create(path, "new", 0o644)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_its_text_and_its_mode_and_the_folders_it_needs(tmp_path: Path) -> None:
    with file_transaction() as files:
        files.create(tmp_path / "a" / "b" / ".env", "A=1\n", 0o600)
        files.create(tmp_path / "run.sh", "#!/bin/sh\n", 0o755)
    assert (tmp_path / "a/b/.env").read_text() == "A=1\n"
    assert [mode(tmp_path / name) for name in ("a/b/.env", "run.sh")] == [0o600, 0o755]
    assert listing(tmp_path) == ["a", "a/b", "a/b/.env", "run.sh"]


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with file_transaction() as files:
            files.create(tmp_path / "compose" / "nginx" / ".env", "x", 0o600)
    finally:
        os.umask(before)
    names = ("compose", "compose/nginx", "compose/nginx/.env")
    assert [mode(tmp_path / name) for name in names] == [0o755, 0o755, 0o600]


@pytest.mark.parametrize("kind", ["file", "link to nothing", "folder"])
def test_nothing_is_ever_overwritten_and_what_was_written_before_is_undone(
    tmp_path: Path, kind: str
) -> None:
    there = tmp_path / "there"
    if kind == "file":
        there.write_text("mine")
    elif kind == "folder":
        there.mkdir()
    else:
        there.symlink_to(tmp_path / "nowhere")
    before = listing(tmp_path)
    with pytest.raises(
        DartsctlError,
        match=r"(was created meanwhile|is a symbolic link); nothing was written",
    ):
        create(tmp_path / "new" / "first", there)
    assert listing(tmp_path) == before
    assert kind != "file" or there.read_text() == "mine"
    assert kind != "link to nothing" or not (tmp_path / "nowhere").exists()


def test_lines_are_appended_in_the_files_own_way(tmp_path: Path) -> None:
    cases = {"plain": b"a\n", "unended": b"a", "windows": b"a\r\nb", "empty": b""}
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o640)
    with file_transaction() as files:
        for name in cases:
            files.append(tmp_path / name, ("/.env", "/x"))
    assert {name: (tmp_path / name).read_bytes() for name in cases} == {
        "plain": b"a\n/.env\n/x\n",
        "unended": b"a\n/.env\n/x\n",
        "windows": b"a\r\nb\r\n/.env\r\n/x\r\n",
        "empty": b"/.env\n/x\n",
    }
    assert mode(tmp_path / "plain") == 0o640


def test_nothing_is_appended_to_a_file_that_has_changed_since_it_was_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=mine\n")
    with pytest.raises(DartsctlError, match=r"\.env was changed meanwhile; nothing was written"):
        append_to(tmp_path / ".env", expected=b"")
    assert (tmp_path / ".env").read_text() == "A=mine\n"
    append_to(tmp_path / ".env", expected=b"A=mine\n")
    assert (tmp_path / ".env").read_text() == "A=mine\nA=\n"


def append_to(path: Path, *, expected: bytes) -> None:
    with file_transaction() as files:
        files.append(path, ("A=",), expected=expected)


def test_appended_lines_are_undone(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("a")

    def append_and_fail() -> None:
        with file_transaction() as files:
            files.append(tmp_path / "plain", ("/more",))
            files.append(tmp_path / "fresh", ("/more",))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        append_and_fail()
    assert (tmp_path / "plain").read_text() == "a"
    assert listing(tmp_path) == ["plain"]


def test_a_link_stays_a_link_when_its_file_is_appended_to(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("a\n")
    (tmp_path / ".gitignore").symlink_to("real")
    with file_transaction() as files:
        files.append(tmp_path / ".gitignore", ("b",))
    assert (tmp_path / ".gitignore").is_symlink()
    assert (tmp_path / "real").read_text() == "a\nb\n"


def test_an_edited_file_has_the_new_text_and_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"a = 1\r\n")
    (tmp_path / "real").chmod(0o640)
    (tmp_path / "dartsctl.toml").symlink_to("real")
    with file_transaction() as files:
        files.edit(tmp_path / "dartsctl.toml", b"a = 1\r\n", "a = 1\r\nb = 2\r\n")
    assert (tmp_path / "real").read_bytes() == b"a = 1\r\nb = 2\r\n"
    assert (tmp_path / "dartsctl.toml").is_symlink()
    assert mode(tmp_path / "real") == 0o640


@pytest.mark.parametrize("now", [b"theirs", b"", None])
def test_a_file_that_has_changed_since_it_was_read_is_not_edited(
    tmp_path: Path, now: bytes | None
) -> None:
    if now is not None:
        (tmp_path / "file").write_bytes(now)
    before = listing(tmp_path)

    def create_and_edit() -> None:
        with file_transaction() as files:
            files.create(tmp_path / "fresh", "new", 0o644)
            files.edit(tmp_path / "file", b"mine", "ours")

    with pytest.raises(DartsctlError, match="nothing was written"):
        create_and_edit()
    assert listing(tmp_path) == before
    assert now is None or (tmp_path / "file").read_bytes() == now


def test_an_edit_is_undone_but_not_over_what_somebody_else_wrote_since(tmp_path: Path) -> None:
    for name in ("quiet", "busy"):
        (tmp_path / name).write_text("mine")

    def edit_and_fail() -> None:
        with file_transaction() as files:
            files.edit(tmp_path / "quiet", b"mine", "ours")
            files.edit(tmp_path / "busy", b"mine", "ours")
            (tmp_path / "busy").write_text("theirs")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        edit_and_fail()
    assert {name: (tmp_path / name).read_text() for name in ("quiet", "busy")} == {
        "quiet": "mine",
        "busy": "theirs",
    }


def test_an_unwritable_folder_is_named_in_the_next_command(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        DartsctlError, match=r"^cannot write .*: Not a directory; nothing was written"
    ) as caught:
        create(tmp_path / "first", tmp_path / "file" / "below")
    assert caught.value.hint == f"ls -ld {tmp_path / 'file'}"
    assert listing(tmp_path) == ["file"]


def test_the_undo_leaves_files_that_somebody_else_has_replaced(tmp_path: Path) -> None:
    def create_and_fail() -> None:
        with file_transaction() as files:
            files.create(tmp_path / "a", "ours", 0o644)
            (tmp_path / "other").write_text("theirs")
            (tmp_path / "other").replace(tmp_path / "a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        create_and_fail()
    assert (tmp_path / "a").read_text() == "theirs"


def test_of_several_writers_exactly_one_succeeds(tmp_path: Path) -> None:
    winners: list[str] = []

    def write(name: str) -> None:
        code = (
            "import sys; from pathlib import Path\n"
            "from dartsctl.edges.project.files import file_transaction\n"
            "with file_transaction() as files:\n"
            "    files.create(Path(sys.argv[1]), sys.argv[2] * 100000, 0o600)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "file"), name],
            capture_output=True,
            check=False,
        )
        if done.returncode == 0:
            winners.append(name)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcdef"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(winners) == 1
    assert (tmp_path / "file").read_text() == winners[0] * 100000
    assert listing(tmp_path) == ["file"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_at_any_moment_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """Signals at later and later moments, until one comes after the end."""
    code = (
        "import sys; from pathlib import Path\n"
        "from dartsctl.edges.project.files import file_transaction\n"
        "with file_transaction() as files:\n"
        "    print('writing', flush=True)\n"
        "    for number in range(400):\n"
        "        path = Path(sys.argv[1]) / str(number % 7) / str(number)\n"
        "        files.create(path, 'x' * 1000, 0o600)\n"
        "print('done', flush=True)"
    )
    interrupted = 0
    for milliseconds in range(0, 48, 6):
        folder = tmp_path / str(milliseconds)
        folder.mkdir()
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        process.stdout.readline()
        threading.Event().wait(milliseconds / 1000)  # the moment is the point of the test
        process.send_signal(number)
        output, _ = process.communicate(timeout=30)
        interrupted += "done" not in output
        if "done" not in output:
            assert listing(folder) == []
    assert interrupted


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_under_sudo_the_new_files_belong_to_the_checkouts_owner(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 2345)
    (tmp_path / ".gitignore").write_text("a\n")
    os.chown(tmp_path / ".gitignore", 99, 98)
    with file_transaction() as files:
        files.create(tmp_path / "compose" / "x", "1", 0o600)
        files.append(tmp_path / ".gitignore", ("b",))
    owners = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in tmp_path.rglob("*")}
    assert owners == {"compose": (1234, 2345), "x": (1234, 2345), ".gitignore": (99, 98)}


# --- other users of the host -------------------------------------------------------------------


@needs_root
@pytest.mark.parametrize("uid", [0, NOBODY])
@pytest.mark.parametrize("name", [".gitignore", "compose", "compose/nginx", ".env"])
def test_no_link_of_another_user_is_followed(tmp_path: Path, name: str, uid: int) -> None:
    """By root, nor by a user who works in a folder that is open to several."""
    victim = Victim.at(tmp_path / "victim")
    with public_folder(ANN, 0o1777) as project:

        def plant() -> None:
            (project / name).parent.mkdir(exist_ok=True)
            (project / name).symlink_to(victim.path if name.startswith(".") else tmp_path)

        as_user(ANN, plant)
        before = listing(project)

        def write() -> None:
            with file_transaction() as files:
                files.create(project / "first", "new", 0o644)
                files.append(project / ".gitignore", ("/.env",))
                files.create(project / ".env", "A=1", 0o600)
                files.create(project / "compose" / "nginx" / "nginx.conf", "", 0o644)

        error = as_user(uid, write)
        expected = (
            "is a symbolic link; nothing was written"
            if name == ".env"
            else "is a symbolic link of another user (1000); nothing was written"
        )
        assert expected.replace("1000", user_name(ANN)) in error
        assert listing(project) == before
    assert victim.is_untouched()
    assert listing(tmp_path) == ["victim"]


@pytest.mark.parametrize(
    "make", [os.mkfifo, Path.mkdir, lambda path: path.hardlink_to(path.with_name("other"))]
)
def test_lines_are_appended_only_to_a_regular_file_with_one_name(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    (tmp_path / "other").write_text("mine")
    make(tmp_path / ".gitignore")
    with (
        pytest.raises(DartsctlError, match=r"\.gitignore (is|has) a .*; nothing was written"),
        file_transaction() as files,
    ):
        files.append(tmp_path / ".gitignore", ("/.env",))
    assert (tmp_path / "other").read_text() == "mine"


@needs_root
def test_a_full_disk_leaves_no_file_and_no_partial_one(tmp_path: Path) -> None:
    def write() -> None:
        with file_transaction() as files:
            files.append(tmp_path / ".gitignore", ("/.env",))
            files.create(tmp_path / "compose" / "first", "new", 0o644)
            files.create(tmp_path / ".env", "A=1\n" * 20_000, 0o600)

    with tiny_disk(tmp_path):
        (tmp_path / ".gitignore").write_text("a\n" * 2000)
        before = (tmp_path / ".gitignore").read_bytes()
        with pytest.raises(
            DartsctlError,
            match=r"cannot write .*\.env: No space left on device; nothing was written",
        ) as caught:
            write()
        assert caught.value.hint == f"df -h {tmp_path}"
        assert listing(tmp_path) == [".gitignore"]
        assert (tmp_path / ".gitignore").read_bytes() == before


# --- the templates -----------------------------------------------------------------------------


def test_the_templates_are_the_files_of_the_repository() -> None:
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "compose"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    known = {
        name
        for name in done.stdout.splitlines()
        if (REPOSITORY / name).is_file() and not Path(name).name.startswith(".compose-lint")
    }
    assert set(template_names("compose")) == known
    assert template("compose/prod.yml") == (REPOSITORY / "compose" / "prod.yml").read_text()
    assert template_mode("compose/prod.yml") == 0o644
