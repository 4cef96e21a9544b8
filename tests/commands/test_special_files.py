"""A named pipe, a device, a socket or a huge file in place of a text file: refused at once."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fakes.plain_project import Project

pytest_plugins = ("fakes.plain_project",)

KINDS = {
    "pipe": "it is a named pipe, not a regular file",
    "device": "it is a device, not a regular file",
    "socket": "it is a socket, not a regular file",
    "huge": "it is larger than ",
}

PLACES = {
    "dartsctl.toml": ("check -f compose.json", "run -- true", "prod check", "ports"),
    "pyproject.toml": ("run -- true",),
    ".env": ("check -f compose.json", "run -- true", "dev check"),
    "given.env": ("check -f compose.json --env-file given.env",),
    "given.yml": ("check -f given.yml",),
}
CALLS = [
    (place, words)
    for place, calls in PLACES.items()
    for words in calls
    if (place, words) != ("dartsctl.toml", "check -f compose.json")
]


def put(path: Path, kind: str) -> None:
    """Replace the file with something of this kind."""
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    else:
        path.touch()
        os.truncate(path, 10 << 30)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("place", "words"), CALLS)
def test_a_special_file_is_refused_at_once(
    project: Project, place: str, words: str, kind: str
) -> None:
    (project.folder / "dartsctl.toml").write_text("[dev]\nfiles = ['compose.json']\n")
    if place == "pyproject.toml":
        (project.folder / "dartsctl.toml").unlink()
    put(project.folder / place, kind)
    ended = project.run(words, within=60)
    assert ended.code == 2, ended
    assert place in ended.error
    assert KINDS[kind] in ended.error
    assert ended.seconds < 45, "Compose's own deadline is 60 seconds"


def test_a_pipe_in_place_of_dockers_configuration_is_refused_at_once(project: Project) -> None:
    os.mkfifo(project.folder / "docker" / "config.json")
    ended = project.run("check -f compose.json", within=60)
    assert ended.code == 5, ended
    assert "config.json cannot be read: it is a named pipe" in ended.error


def test_a_folder_with_the_name_of_the_env_file_is_ignored(project: Project) -> None:
    """Compose ignores it too: a virtual environment may have that name."""
    (project.folder / ".env").mkdir()
    assert project.run("check -f compose.json --no-engine").code == 0
