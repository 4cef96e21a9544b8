"""The record of what was stopped: private, complete, and never a reason to fail."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dartsctl.edges import history
from dartsctl.edges.history import History


def test_nothing_is_written_before_something_happens(tmp_path: Path) -> None:
    assert History(tmp_path / "state").read() == ()
    assert not (tmp_path / "state").exists()


def test_an_entry_says_what_when_why_and_by_whom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    History(tmp_path).add("stop-process", "python (pid 12)", "in the way of app", pids=(12, 13))
    (entry,) = History(tmp_path).read()
    assert (entry.action, entry.what, entry.why, entry.details) == ("stop-process", "python (pid 12)", "in the way of app", {"pids": [12, 13]})
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


def test_bytes_that_are_no_text_and_line_separators_survive(tmp_path: Path) -> None:
    odd = "run\udcff.py \u2028 \x85 \n é"
    History(tmp_path).add("stop-process", odd, "why")
    History(tmp_path).add("stop-process", "next", "why")
    assert [entry.what for entry in History(tmp_path).read()] == [odd, "next"]


def test_a_line_that_a_full_disk_cut_spoils_no_other(tmp_path: Path) -> None:
    one = History(tmp_path)
    one.add("remap", "first", "why")
    with (tmp_path / "history.jsonl").open("ab") as file:
        file.write(b'{"when": 1, "action": "re\xff')
    one.add("remap", "second", "why")
    assert [entry.what for entry in one.read()] == ["first", "second"]


@pytest.mark.parametrize("line", ["[]", "null", "3", "{}", '{"when": "x", "action": "a", "what": "", "why": "", "by": "", "details": {}}', "\x00"])
def test_what_is_no_entry_is_left_out(tmp_path: Path, line: str) -> None:
    (tmp_path / "history.jsonl").write_text(f"{line}\n")
    assert History(tmp_path).read() == ()


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    History(tmp_path / "file" / "state").add("remap", "app", "why")
    assert History(tmp_path / "file" / "state").read() == ()


def test_old_entries_go_when_there_are_twice_as_many_as_are_kept(tmp_path: Path) -> None:
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
    assert {entry.what for entry in History(tmp_path).read()} == {f"{n}-{m}" for n in range(4) for m in range(20)}


def test_under_sudo_it_is_the_callers_name_and_the_callers_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # EDGE 84
    if os.geteuid():
        pytest.skip("needs root")
    monkeypatch.setenv("SUDO_USER", "ann")
    os.chown(tmp_path, 65534, 65534)
    History(tmp_path).add("remap", "app", "why")
    assert History(tmp_path).read()[0].by == "ann"
    assert (tmp_path / "history.jsonl").stat().st_uid == 65534


def test_a_user_without_a_name_is_a_number(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("needs root")
    code = (
        "import os, sys, pathlib\nfrom dartsctl.edges.history import History\nimport pwd, fcntl, encodings.ascii\nos.setuid(54321)\n"
        "one = History(pathlib.Path(sys.argv[1]))\none.add('remap', 'app', 'why')\nprint(one.read()[0].by)"
    )
    os.chown(tmp_path, 54321, 54321)
    tmp_path.parent.chmod(0o755)
    tmp_path.parent.parent.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.stdout == "54321\n", done.stderr
