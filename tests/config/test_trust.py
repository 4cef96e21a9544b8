"""Whose settings, env files and conventional files are used: with real files of real users."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dartsctl.config.environment import resolve
from dartsctl.config.load_settings import load
from dartsctl.config.server_program import python_for, server_command
from dartsctl.config.trust import Trust
from dartsctl.errors import ExitCode, Refused
from two_users import ANN, BOB, as_user, needs_root, public_folder

NOBODY_TRUSTED = Trust()


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder of root's that every user can reach."""
    with public_folder() as folder:
        yield folder.resolve()


def write(path: Path, owner: int = 0, mode: int = 0o644, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.chown(path, owner, owner)
    path.chmod(mode)
    return path


def refusal(path: Path, trust: Trust = NOBODY_TRUSTED) -> str:
    try:
        trust.require(path)
    except Refused as error:
        return error.message.partition(": ")[2]
    return ""


@needs_root
def test_a_file_of_this_user_or_root_is_used_and_another_users_is_not(place: Path) -> None:
    assert refusal(write(place / "mine")) == ""
    theirs = write(place / "theirs", BOB)
    assert refusal(theirs) == f"{theirs} belongs to another user ({BOB})"
    assert as_user(BOB, lambda: refusal(theirs)) == ""
    assert as_user(BOB, lambda: refusal(place / "mine")) == ""
    os.chown(place, ANN, ANN)
    assert f"belongs to another user ({BOB})" in as_user(ANN, lambda: refusal(theirs))


@needs_root
def test_under_sudo_the_callers_files_are_used_but_only_for_root(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = write(place / "theirs", BOB)
    monkeypatch.setenv("SUDO_UID", str(BOB))
    monkeypatch.setenv("SUDO_GID", str(BOB))
    assert refusal(theirs) == ""
    assert f"belongs to another user ({BOB})" in as_user(ANN, lambda: refusal(theirs))


@needs_root
def test_a_file_of_ours_in_another_users_folder_is_not_used(place: Path) -> None:
    file = write(place / "folder" / "mine")
    os.chown(file.parent, BOB, BOB)
    assert refusal(file) == f"{file.parent} belongs to another user ({BOB})"


@needs_root
@pytest.mark.parametrize("stranger", ["the link", "its target"])
def test_neither_a_strangers_link_nor_a_link_to_their_file_is_followed(
    place: Path, stranger: str
) -> None:
    target = write(place / "target", BOB if stranger == "its target" else 0)
    link = place / "link"
    link.symlink_to(target)
    if stranger == "the link":
        os.chown(link, BOB, BOB, follow_symlinks=False)
    assert refusal(link) == f"{link} belongs to another user ({BOB})"


def test_a_file_that_everybody_may_write_is_refused(place: Path) -> None:
    file = write(place / "folder" / "file", os.geteuid())
    file.chmod(0o666)
    assert refusal(file) == f"{file} is writable by every user"
    with pytest.raises(Refused) as caught:
        NOBODY_TRUSTED.require(file)
    assert (caught.value.hint, caught.value.details[1]) == (
        f"chmod o-w {file}",
        f"or: dartsctl trust {file.parent}",
    )
    file.chmod(0o664)
    file.parent.chmod(0o777)
    assert refusal(file) == f"{file.parent} is writable by every user"
    file.parent.chmod(0o1777)
    assert refusal(file) == ""


def test_devices_and_missing_files_are_accepted(place: Path) -> None:
    (place / "dangling").symlink_to("nowhere")
    assert [
        refusal(path)
        for path in (
            Path("/dev/null"),
            place / "missing",
            place / "dangling",
            place / "no" / "file",
        )
    ] == [""] * 4


@needs_root
def test_a_trusted_folder_covers_all_below_it_and_nothing_beside_it(place: Path) -> None:
    inside, beside = (
        write(place / "app" / "deploy" / "file", BOB),
        write(place / "app2" / "file", BOB),
    )
    trust = Trust(lambda: (place / "app",))
    assert (refusal(inside, trust), refusal(beside, trust)) == (
        "",
        f"{beside} belongs to another user ({BOB})",
    )
    (place / "app" / "elsewhere").symlink_to(place / "app2")
    assert refusal(place / "app" / "elsewhere" / "file", trust) != ""


@needs_root
@pytest.mark.parametrize("name", ["dartsctl.toml", "pyproject.toml"])
def test_settings_found_upwards_in_a_strangers_folder_are_refused_with_the_command_to_trust_them(
    place: Path, name: str
) -> None:
    text = 'name = "x"\n' if name == "dartsctl.toml" else '[tool.dartsctl]\nname = "x"\n'
    file = write(place / "their app" / name, BOB, text=text)
    below = place / "their app" / "below"
    below.mkdir()
    for project_dir in (None, below.parent):
        with pytest.raises(Refused) as caught:
            load(below, {}, project_dir=project_dir)
        assert caught.value.code is ExitCode.REFUSED
        assert (
            caught.value.message
            == f"refusing to use {file}: {file} belongs to another user ({BOB})"
        )
        assert caught.value.hint == f"dartsctl trust '{file.parent}'"
    assert load(below, {}, trust=Trust(lambda: (file.parent,))).name == "x"


@needs_root
def test_a_strangers_pyproject_without_a_dartsctl_table_is_ignored(place: Path) -> None:
    write(place / "app" / "pyproject.toml", BOB, text="[dependency-groups]\ndev = ['dartsctl']\n")
    assert load(place / "app", {}).source is None


@needs_root
@pytest.mark.parametrize(
    "name",
    [
        ".env",
        ".env.production",
        ".env.staging",
        "compose/prod.yml",
        "compose.dev.yaml",
        "deploy/own.env",
    ],
)
def test_env_files_and_conventional_compose_files_of_a_stranger_are_refused(
    place: Path, name: str
) -> None:
    for file in (
        ".env",
        ".env.production",
        ".env.staging",
        "compose/prod.yml",
        "compose.dev.yaml",
        "compose.staging.yml",
        "deploy/own.env",
    ):
        write(place / file)
    settings = (
        "[environment.staging]\n[environment.own]\n"
        'files=["compose.dev.yaml"]\nenv_files=["deploy/own.env"]\n'
    )
    write(place / "dartsctl.toml", text=settings)
    for environment in ("dev", "prod", "staging", "own"):
        resolve(load(place, {}), environment)
    os.chown(place / name, BOB, BOB)
    refused = []
    for environment in ("dev", "prod", "staging", "own"):
        try:
            resolve(load(place, {}), environment)
        except Refused as error:
            refused.append((environment, error.message.split()[3].rstrip(":")))
    expected = {
        ".env.production": "prod",
        "compose/prod.yml": "prod",
        ".env.staging": "staging",
        "deploy/own.env": "own",
    }
    assert refused == [(expected.get(name, "dev"), str(place / name))]


@needs_root
def test_the_env_file_that_compose_reads_by_itself_is_checked_too(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(place / "dartsctl.toml", text="[dev]\nfiles = ['compose/dev.yml']\nenv_files = []\n")
    write(place / "compose" / "dev.yml")
    write(place / "compose" / ".env", BOB)
    monkeypatch.chdir(place)
    with pytest.raises(Refused, match=r"refusing to use .*compose/\.env:"):
        resolve(load(place, {}), "dev")


@needs_root
def test_a_strangers_program_with_a_conventional_name_is_not_run(place: Path) -> None:
    place.chmod(0o1777)  # as /tmp is
    write(place / "run.py", BOB)
    with pytest.raises(Refused, match=r"refusing to use .*run\.py:"):
        server_command(load(place, {}))
    write(place / ".venv" / "bin" / "python", BOB, 0o755)
    os.chown(place / ".venv", BOB, BOB)
    with pytest.raises(Refused, match=r"refusing to use .*pyvenv\.cfg:"):
        python_for(place, trust=NOBODY_TRUSTED)
