"""Help from the file is the help that Typer makes, and only where Typer would make the same."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

import help_screens
from dartsctl.cli import baked_help, main
from dartsctl.cli.verbs import VERBS, verb_named


@pytest.fixture(autouse=True)
def usual_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(baked_help.COLUMNS))


def test_the_file_has_what_typer_prints() -> None:
    assert Path(baked_help.FILE).read_text() == help_screens.screens(), "run `make help-screens`"


@pytest.mark.parametrize("columns", ["80", "200", "", "nonsense", "0", "-5"])
@pytest.mark.parametrize("words", ["--help", "-h", "prod up --help", "watch silence -h"])
def test_help_is_the_same_with_and_without_typer(
    words: str, columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert baked_help.show(words.split()) == 0
    assert capsys.readouterr().out == help_screens.printed(*words.split())


@pytest.mark.parametrize("words", baked_help.NEED_A_VERB, ids=" ".join)
def test_a_group_without_a_verb_shows_its_help_on_stderr(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(words) == 2
    baked = capsys.readouterr()
    monkeypatch.setattr(baked_help, "FILE", "/nonexistent")
    assert main(words) == 2
    assert capsys.readouterr() == baked
    assert baked.err.startswith(f"Usage: {' '.join(['dartsctl', *words])} ")


def test_the_lines_that_need_a_verb_are_the_groups_that_do_nothing_without() -> None:
    groups = [name for name in VERBS if getattr(verb_named(name), "needs_a_verb", False)]
    assert [[], *([name] for name in groups)] == list(baked_help.NEED_A_VERB)


@pytest.mark.parametrize(
    "words",
    [
        ["ports"], ["--json", "--help"], ["ports", "--json", "--help"], ["staging", "--help"],
        ["prod", "nosuch", "-h"], ["prod up", "--help"], ["run", "--", "--help"],
        ["prod\nUsage: dartsctl prod [OPTIONS] COMMAND [ARGS]...", "--help"], ["--help", "ports"],
    ],
)  # fmt: skip
def test_any_other_line_is_not_answered_from_the_file(words: list[str]) -> None:
    assert baked_help.show(words) is None


@pytest.mark.parametrize("narrow", ["79", "60", "1"])
def test_a_narrow_terminal_gets_its_help_from_typer(
    narrow: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", narrow)
    assert baked_help.show(["--help"]) is None
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == help_screens.printed("--help")


def test_a_shell_that_completes_gets_no_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_DARTSCTL_COMPLETE", "complete_bash")
    assert baked_help.show(["--help"]) is None


@pytest.mark.parametrize("columns", [60, 100])
def test_the_width_is_that_of_the_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    termios.tcsetwinsize(theirs, (24, columns))
    code = "from dartsctl.cli import baked_help; baked_help.show(['--help'])"
    subprocess.run([sys.executable, "-c", code], stdout=theirs, check=True)
    try:
        shown = os.read(ours, 1 << 16)
    except BlockingIOError:
        shown = b""
    finally:
        os.close(ours)
        os.close(theirs)
    assert shown.startswith(b"Usage: ") == (columns >= baked_help.COLUMNS)
