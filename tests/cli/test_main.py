"""The error boundary: what every failure of a command line says."""

from __future__ import annotations

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
