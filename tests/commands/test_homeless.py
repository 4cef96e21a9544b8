"""A user without passwd entry, HOME and USER, as in `docker run --user 12345`.

And a working folder that has gone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dartsctl.edges.state.folder import is_makeshift, open_state, state_folder
from two_users import ANN, BOB, as_user, needs_root, public_folder


@needs_root
def test_the_state_is_in_a_private_folder_of_the_temporary_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with public_folder(mode=0o1777) as temporary:
        for name in ("HOME", "USER", "LOGNAME", "DARTSCTL_STATE_DIR", "XDG_STATE_HOME"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("TMPDIR", str(temporary))

        def look() -> object:
            with open_state(state_folder(), make=True) as folder:
                return folder.path, oct(folder.status.st_mode & 0o777), is_makeshift()

        place = temporary / f"dartsctl-{BOB}"
        assert as_user(BOB, look) == f"({place!r}, '0o700', True)"
        monkeypatch.setenv("HOME", "/")  # what Docker sets for such a user
        assert as_user(BOB, look) == f"({place!r}, '0o700', True)"
        os.chown(place, ANN, ANN)
        place.chmod(0o755)
        assert "belongs to another user" in as_user(BOB, look)


@needs_root
@pytest.mark.parametrize(
    "words",
    [
        "init --yes",
        "run -- true",
        "dev --no-services",
        "dev down",
        "dev list",
        "ports",
        "history",
        "guard status",
    ],
)
def test_no_verb_fails_without_a_user_name_or_a_home(words: str) -> None:
    with public_folder(BOB) as folder:
        (folder / "run.py").write_text("")
        (folder / "compose.dev.yaml").write_text("services: {web: {image: x}}\n")
        for file in folder.iterdir():
            os.chown(file, BOB, BOB)
        done = dartsctl_as_unknown_user(folder, words)
    assert done.returncode in (0, 1, 2, 5), done.stderr
    assert "Traceback" not in done.stderr
    assert "this user has no home folder; dartsctl's state is kept in" in done.stderr


def dartsctl_as_unknown_user(folder: Path, words: str) -> subprocess.CompletedProcess[str]:
    """Run the command as BOB, with no other privilege than to read this interpreter."""
    python = [
        "setpriv",
        f"--reuid={BOB}",
        f"--regid={BOB}",
        "--clear-groups",
        "--inh-caps=+dac_read_search",
        "--ambient-caps=+dac_read_search",
    ]
    return subprocess.run(
        [*python, sys.executable, "-m", "dartsctl", *words.split()],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_relative_state_folder_in_a_folder_that_has_gone_is_one_error(tmp_path: Path) -> None:
    script = f"mkdir gone; cd gone; rmdir ../gone; exec {sys.executable} -m dartsctl dev list"
    environ = {**os.environ, "DARTSCTL_STATE_DIR": "state"}
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr.count("error:")) == (2, 1), done.stderr


@pytest.mark.parametrize("name", [".env", ".env.production"])
def test_an_env_file_that_is_a_broken_link_is_reported_as_such(tmp_path: Path, name: str) -> None:
    for file in ("compose.dev.yaml", "compose.prod.yaml"):
        (tmp_path / file).write_text("services: {web: {image: x}}\n")
    (tmp_path / "dartsctl.toml").write_text("[dev]\nenv_files = ['.env']\n")
    (tmp_path / name).symlink_to("nowhere")
    stack = "dev" if name == ".env" else "prod"
    words = [sys.executable, "-m", "dartsctl", stack, "check"]
    done = subprocess.run(
        words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert "broken symbolic link" in done.stderr, done.stderr
    assert done.returncode == (2 if stack == "dev" else 4), done.stderr
