"""git is asked about a project's files, and runs nothing that the project's checkout configures."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from dartsctl.edges.project import git_files
from fakes.machines import write_script


def test_no_program_of_the_checkouts_configuration_is_run(tmp_path: Path) -> None:
    root, log = tmp_path / "unpacked", tmp_path / "log"
    root.mkdir()
    (root / ".env").write_text("SECRET_KEY=x\n")
    (root / ".gitignore").write_text("/certs\n")
    write_script(tmp_path / "program", f"echo run >> {log}; exit 1")
    for words in (
        ("init", "-q"),
        ("add", ".env"),
        ("config", "core.fsmonitor", os.fspath(tmp_path / "program")),
    ):
        subprocess.run(["git", "-C", str(root), *words], check=True, stdin=subprocess.DEVNULL)
    assert git_files.tracked(root, [".env", "absent"]) == (".env",)
    assert git_files.not_ignored(root, ["certs", ".env"]) == (".env",)
    assert git_files.tracked_keys(root) == ()
    assert not log.exists()
    subprocess.run(["git", "-C", str(root), "ls-files"], check=True, capture_output=True)
    assert log.exists()  # git alone would have run it
