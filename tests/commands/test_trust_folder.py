"""`dartsctl trust`, and every verb in a folder of another user, run by root."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dartsctl.edges.state.trust_book import TrustBook
from two_users import ANN, BOB, as_user, needs_root, public_folder

pytestmark = needs_root


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A project of another user, whose server leaves a trace."""
    with public_folder(BOB) as folder:
        settings = folder / "dartsctl.toml"
        settings.write_text(
            f'[server]\ncommand = ["touch", "{folder}/executed"]\n'
            'services = "optional"\n[environment.staging]\n'
        )
        os.chown(settings, BOB, BOB)
        yield folder


def dartsctl(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dartsctl", *words],
        cwd=folder,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


VERBS = (
    """
dev --no-services | run -- true | dev url | dev stop | dev up | prod check | prod up | prod down
prod config | ports | init | guard status
guard install | doctor | staging up | another up
""".strip()
    .replace("\n", "|")
    .split("|")
)


@pytest.mark.parametrize("words", VERBS)
def test_every_verb_that_reads_settings_refuses_those_of_a_stranger(
    theirs: Path, words: str
) -> None:
    done = dartsctl(theirs, *words.split())
    assert done.returncode == 4, done.stderr
    file = theirs / "dartsctl.toml"
    assert (
        f"error: refusing to use {file}: {theirs} belongs to another user ({BOB})\n" in done.stderr
    )
    assert f"next: dartsctl trust {theirs}\n" in done.stderr
    assert not (theirs / "executed").exists()


@pytest.mark.parametrize(
    "words", ["--help", "--version", "dev --help", "staging --help", "history", "dev list"]
)
def test_verbs_without_settings_work_everywhere(theirs: Path, words: str) -> None:
    done = dartsctl(theirs, *words.split())
    assert done.returncode == (2 if words == "staging --help" else 0), done.stderr
    assert "is not used" not in done.stderr


def test_completion_neither_fails_nor_executes(theirs: Path) -> None:
    done = dartsctl(
        theirs, _DARTSCTL_COMPLETE="complete_bash", COMP_WORDS="dartsctl dev up ", COMP_CWORD="3"
    )
    assert (done.stderr, "is not used" in done.stdout) == ("", False)


def test_a_trusted_folder_is_used_until_it_is_removed(theirs: Path) -> None:
    assert dartsctl(theirs, "trust").returncode == 0
    done = dartsctl(theirs, "dev", "--no-services")
    assert (theirs / "executed").exists(), done.stderr
    assert dartsctl(theirs, "trust", "--list").stdout == f"{theirs}\n"
    assert dartsctl(Path("/"), "trust", "--remove", str(theirs)).returncode == 0
    assert dartsctl(theirs, "dev", "url").returncode == 4
    assert json.loads(dartsctl(theirs, "trust", "--list", "--json").stdout)["folders"] == []


def test_a_dry_run_changes_nothing(theirs: Path) -> None:
    done = dartsctl(theirs, "trust", "--dry-run", "--json")
    document = json.loads(done.stdout)
    assert (document["folder"], document["changed"], document["dry_run"]) == (
        str(theirs),
        False,
        True,
    )
    assert "would trust" in dartsctl(theirs, "trust", "--dry-run").stdout
    assert dartsctl(theirs, "trust", "--list").stdout == ""


def test_a_missing_folder_cannot_be_trusted_but_can_be_removed(theirs: Path) -> None:
    done = dartsctl(theirs, "trust", "nowhere")
    assert (done.returncode, f"error: no such folder: {theirs}/nowhere" in done.stderr) == (2, True)
    assert dartsctl(theirs, "trust", "--remove", "nowhere").returncode == 0
    assert dartsctl(theirs, "trust", "--list", "--remove").returncode == 2


def test_under_sudo_the_callers_settings_are_used(theirs: Path) -> None:
    dartsctl(theirs, "dev", "--no-services", SUDO_UID=str(BOB), SUDO_GID=str(BOB))
    assert (theirs / "executed").exists()


def test_the_list_is_private_and_that_of_another_user_is_ignored() -> None:
    with public_folder(mode=0o1777) as state:
        TrustBook(state).add(Path("/srv/app"))
        (file,) = state.iterdir()
        assert (file.name, file.stat().st_mode & 0o777) == ("trusted.0.json", 0o600)
        planted = state / f"trusted.{ANN}.json"
        planted.write_text('{"folders": ["/"]}')
        os.chown(planted, BOB, BOB)
        planted.chmod(0o644)
        assert as_user(ANN, lambda: TrustBook(state).folders()) == "()"
        planted.unlink()
        assert (
            as_user(
                ANN, lambda: (TrustBook(state).add(Path("/srv/app")), TrustBook(state).folders())
            )
            == "(True, (PosixPath('/srv/app'),))"
        )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"folders": 3}',
        '{"folders": [1, "relative", null]}',
        '{"folders": ' + "[" * 5000,
    ],
)
def test_a_broken_list_trusts_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / "trusted.0.json").write_text(text)
    assert TrustBook(tmp_path).folders() == ()
