"""`--show-completion` and `--install-completion`: whose script (edge-cases.md#83)."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.cli import main

FIRST_WORDS = {"bash": "_dartsctl_completion()", "zsh": "#compdef dartsctl", "fish": "complete "}


@pytest.mark.parametrize("shell", FIRST_WORDS)
@pytest.mark.parametrize("between", [" ", "="])
def test_a_named_shell_gets_its_own_script(
    shell: str, between: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(f"--show-completion{between}{shell}".split()) == 0
    assert capsys.readouterr().out.startswith(FIRST_WORDS[shell])


def test_the_script_is_installed_for_the_named_shell_and_nothing_that_was_there_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".bashrc").write_text("alias ll='ls -l'\n")
    for _ in range(2):
        assert main(["--install-completion", "bash"]) == 0
    assert f"installed completion for bash in {tmp_path}/" in capsys.readouterr().out
    lines = (tmp_path / ".bashrc").read_text().split("\n")
    assert lines[0] == "alias ll='ls -l'"
    assert len([line for line in lines if line.startswith("source ")]) == 1


@pytest.mark.parametrize("option", ["--show-completion", "--install-completion"])
@pytest.mark.parametrize(
    ("shells", "error", "advice"),
    [
        (["tcsh"], "no completion for the shell tcsh", "hint: completion exists for bash, zsh"),
        (["zsh", "fish"], "takes one shell", "next: dartsctl --"),
    ],
)
def test_another_shell_is_refused(
    option: str,
    shells: list[str],
    error: str,
    advice: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([option, *shells]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert error in shown.err
    assert advice in shown.err


def test_their_help_is_the_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--show-completion", "--help"]) == 0
    assert capsys.readouterr().out.startswith("Usage: dartsctl")
