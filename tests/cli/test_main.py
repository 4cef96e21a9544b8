"""The error boundary: what every failure of a command line says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dartsctl.cli import main


@pytest.mark.parametrize(
    ("words", "next_command"),
    [
        (("prod", "check"), "dartsctl check"),
        (("run",), "dartsctl run"),
    ],
)
def test_the_next_command_stays_in_the_folder_that_was_named(
    words: tuple[str, ...],
    next_command: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "my app").mkdir()
    (tmp_path / "my app" / "compose.yml").touch()
    monkeypatch.chdir(tmp_path)
    assert main([*words, "--project-dir", "my app"]) == 2
    shown = capsys.readouterr().err
    assert f"next: {next_command}" in shown
    assert "--project-dir 'my app'" in shown.partition("next: ")[2]


FULL = Path("/dev/full")
PROGRAM = (sys.executable, "-m", "dartsctl")


def no_reader() -> int:
    """Return a pipe that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_an_error_keeps_its_code_when_nobody_reads_it(options: list[str]) -> None:
    pipe = no_reader()
    try:
        words = [*PROGRAM, *options, "nosuch"]
        stderr = subprocess.PIPE if options else pipe
        done = subprocess.run(words, stdout=pipe, stderr=stderr, text=True, check=False)
    finally:
        os.close(pipe)
    assert (done.returncode, done.stderr or "") == (2, "")


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["watch", "status"], 1, "error: cannot write the output: No space left on device\nhint: "),
        (["--json", "watch", "status"], 1, "error: cannot write the output: "),
        (["--json", "nosuch"], 2, "error: No such command 'nosuch'\nnext: "),
    ],
)
def test_a_full_disk_behind_stdout_is_no_bug(
    words: list[str], code: int, said: str, tmp_path: Path
) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            [*PROGRAM, *words],
            stdout=full, stderr=subprocess.PIPE, cwd=tmp_path, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith(said)
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
def test_a_full_disk_behind_stderr_stops_nothing(tmp_path: Path) -> None:
    with FULL.open("w") as full:
        done = subprocess.run([*PROGRAM, "nosuch"], stderr=full, cwd=tmp_path, check=False)
    assert done.returncode == 2
