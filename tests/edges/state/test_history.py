"""The history of what was stopped: private, complete, and never a reason to fail."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from dartsctl.edges.state import history
from dartsctl.edges.state.history import History
from dartsctl.system.files import UnsafeFile
from dartsctl.text.masker import Masker
from tiny_disk import tiny_disk
from two_users import ANN, Victim, as_user, needs_root, public_folder


def test_nothing_is_written_before_something_happens(tmp_path: Path) -> None:
    assert History(tmp_path / "state").read() == ()
    assert not (tmp_path / "state").exists()


def test_an_entry_contains_what_when_why_and_by_whom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    History(tmp_path).add("stop-process", "python (pid 12)", "in the way of app", pids=(12, 13))
    (entry,) = History(tmp_path).read()
    assert (entry.action, entry.what, entry.why, entry.details) == (
        "stop-process",
        "python (pid 12)",
        "in the way of app",
        {"pids": [12, 13]},
    )
    assert entry.by == pwd.getpwuid(os.geteuid()).pw_name
    assert abs(entry.when - time.time()) < 30


def test_only_its_user_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        History(tmp_path / "state").add("remap", "app", "taken")
    finally:
        os.umask(before)
    assert (tmp_path / "state" / "history.jsonl").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_invalid_utf8_and_line_separators_survive(tmp_path: Path) -> None:
    odd = "run\udcff.py \u2028 \x85 \n é"
    History(tmp_path).add("stop-process", odd, "why")
    History(tmp_path).add("stop-process", "next", "why")
    assert [entry.what for entry in History(tmp_path).read()] == [
        odd.replace("\udcff", "\\xff"),
        "next",
    ]


def test_a_truncated_line_spoils_no_other(tmp_path: Path) -> None:
    record = History(tmp_path)
    record.add("remap", "first", "why")
    with (tmp_path / "history.jsonl").open("ab") as file:
        file.write(b'{"when": 1, "action": "re\xff')
    record.add("remap", "second", "why")
    assert [entry.what for entry in record.read()] == ["first", "second"]


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "null",
        "3",
        "{}",
        '{"when": "x", "action": "a", "what": "", "why": "", "by": "", "details": {}}',
        "\x00",
        "[" * 10_000,
        '{"when": NaN, "action": "", "what": "", "why": "", "by": "", "details": {}}',
        '{"when": 1e300, "action": "", "what": "", "why": "", "by": "", "details": {}}',
        '{"when": 1, "action": "", "what": "", "why": "", "by": "", "details": 3}',
    ],
)
def test_broken_lines_are_skipped(tmp_path: Path, line: str) -> None:
    (tmp_path / "history.jsonl").write_text(f"{line}\n")
    assert History(tmp_path).read() == ()


def test_an_unwritable_folder_is_one_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    warnings: list[str] = []
    record = History(tmp_path / "file" / "state", warn=warnings.append)
    for _ in range(2):
        record.add("remap", "app", "why")
    file = f"{tmp_path}/file/state/history.jsonl"
    assert warnings == [f"the history is incomplete: cannot write {file}: Not a directory"]
    assert record.read() == ()


def test_a_lock_that_somebody_else_holds_is_one_warning_after_two_seconds(tmp_path: Path) -> None:
    History(tmp_path).add("remap", "first", "why")
    theirs = os.open(tmp_path / "history.lock", os.O_RDONLY)
    fcntl.flock(theirs, fcntl.LOCK_SH)
    warnings: list[str] = []
    record = History(tmp_path, warn=warnings.append)
    began = time.monotonic()
    for _ in range(3):
        record.add("remap", "app", "why")
    assert time.monotonic() - began < 5 * history.LOCK_DEADLINE
    assert warnings == [
        f"the history is incomplete: {tmp_path}/history.lock is locked by another process"
    ]
    os.close(theirs)


@needs_root
@pytest.mark.parametrize("name", ["history.jsonl", "history.lock"])
@pytest.mark.parametrize("sudo", [True, False])
def test_root_follows_no_link_of_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, sudo: bool
) -> None:
    victim = Victim.at(tmp_path / "victim")
    for variable in ("SUDO_UID", "SUDO_GID"):
        monkeypatch.setenv(variable, str(ANN) if sudo else "")
    warnings: list[str] = []
    with public_folder(ANN) as folder:
        as_user(ANN, lambda: (folder / name).symlink_to(victim.path))
        record = History(folder, warn=warnings.append)
        record.add("remap", "app", "why")
        assert victim.is_untouched()
        expected = (
            f"{folder}/{name} is a symbolic link" if sudo else f"{folder} belongs to another user"
        )
        assert len(warnings) == 1
        assert warnings[0].startswith(f"the history is incomplete: {expected}")
        with pytest.raises(UnsafeFile) if name == "history.jsonl" or not sudo else nullcontext():
            record.read()


@pytest.mark.parametrize(
    "line",
    [
        b"x" * 100,
        b"[" * 999,
        b"",
        b'{"when": 1, "action": "a", "what": "", "why": "", "by": "", "details": {}}',
    ],
)
def test_a_history_of_100_megabytes_is_truncated_quickly(tmp_path: Path, line: bytes) -> None:
    lines = (line + b"\n") * (1_000_000 // (len(line) + 1))
    with (tmp_path / "history.jsonl").open("wb") as file:
        for _ in range(100):
            file.write(lines)
    began = time.process_time()
    record = History(tmp_path)
    record.read()
    record.add("remap", "newest", "why")
    assert time.process_time() - began < 5
    assert record.read()[-1].what == "newest"
    assert (tmp_path / "history.jsonl").stat().st_size < history.TAIL


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "history.jsonl")
    with pytest.raises(UnsafeFile, match="is a named pipe"):
        History(tmp_path).read()


@needs_root
def test_a_full_disk_leaves_no_partial_line(tmp_path: Path) -> None:
    with tiny_disk(tmp_path):
        warnings: list[str] = []
        record = History(tmp_path, warn=warnings.append)
        record.add("remap", "first", "why")
        record.add("remap", "x" * 100_000, "why")
        problem = f"cannot write {tmp_path}/history.jsonl: No space left on device"
        assert warnings == [f"the history is incomplete: {problem}"]
        assert [entry.what for entry in record.read()] == ["first"]
        assert (tmp_path / "history.jsonl").read_bytes().count(b"\n") == 1


def test_old_entries_are_removed_when_there_are_twice_as_many(tmp_path: Path) -> None:
    entry = {"when": 1.0, "action": "remap", "what": "", "why": "", "by": "", "details": {}}
    lines = [json.dumps({**entry, "what": str(number)}) for number in range(2 * history.KEPT)]
    (tmp_path / "history.jsonl").write_text("\n".join(lines) + "\n")
    History(tmp_path).add("remap", "newest", "why")
    kept = [entry.what for entry in History(tmp_path).read()]
    assert len(kept) == history.KEPT
    assert kept[-2:] == [str(2 * history.KEPT - 1), "newest"]
    assert (tmp_path / "history.jsonl").stat().st_mode & 0o777 == 0o600


def test_several_writers_lose_nothing(tmp_path: Path) -> None:
    def write(writer: int) -> None:
        for number in range(20):
            History(tmp_path).add("remap", f"{writer}-{number}", "")

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {entry.what for entry in History(tmp_path).read()} == {
        f"{n}-{m}" for n in range(4) for m in range(20)
    }


def test_under_sudo_name_and_file_are_those_of_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # edge-cases.md#84
    if os.geteuid():
        pytest.skip("needs root")
    for name, value in {"SUDO_USER": "ann", "SUDO_UID": "65534", "SUDO_GID": "65534"}.items():
        monkeypatch.setenv(name, value)
    os.chown(tmp_path, 65534, 65534)
    History(tmp_path).add("remap", "app", "why")
    assert History(tmp_path).read()[0].by == "ann"
    assert (tmp_path / "history.jsonl").stat().st_uid == 65534


def test_a_user_without_a_name_is_a_number() -> None:
    if os.geteuid():
        pytest.skip("needs root")
    code = (
        "import os, sys, pathlib\nfrom dartsctl.edges.state.history import History\n"
        "import pwd, fcntl, encodings.ascii\nos.setuid(54321)\n"
        "history = History(pathlib.Path(sys.argv[1]))\n"
        "history.add('remap', 'app', 'why')\nprint(history.read()[0].by)"
    )
    with (
        tempfile.TemporaryDirectory() as folder
    ):  # not below pytest's, which another pytest closes when it starts
        os.chown(folder, 54321, 54321)
        done = subprocess.run(
            [sys.executable, "-c", code, folder], capture_output=True, text=True, check=False
        )
    assert done.stdout == "54321\n", done.stderr


def test_an_entry_contains_no_secret(tmp_path: Path) -> None:
    masker = Masker()
    masker.learn({"DB_PASSWORD": "canary-known"})
    History(tmp_path, masker=masker).add(
        "stop-process",
        "serve canary-known",
        "API_TOKEN=canary-named",
        pids=(1, 2),
        command="http://h/?code=canary",
    )
    assert "canary" not in (tmp_path / "history.jsonl").read_text()
