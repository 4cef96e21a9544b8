"""A named pipe, a device, a socket or a huge file where a text is expected: refused at once, in one sentence."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from live_stack import LiveStack

pytest_plugins = ("live_stack",)

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
CALLS = [(place, words) for place, calls in PLACES.items() for words in calls if (place, words) != ("dartsctl.toml", "check -f compose.json")]


def put(path: Path, kind: str) -> None:
    """Something of this kind in place of the file."""
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
def test_a_file_that_is_none_is_refused_at_once(live: LiveStack, place: str, words: str, kind: str) -> None:
    live.compose({"a": {"image": "dartsctl-test/busybox:1"}})
    if place != "pyproject.toml":
        live.settings(environment="dev")
        (live.folder / "dartsctl.toml").write_text("[dev]\nfiles = ['compose.json']\n")
    put(live.folder / place, kind)
    begun = time.monotonic()
    said = live.run(*words.split(), timeout=30)
    assert time.monotonic() - begun < 10, "Compose's own deadline is 60 seconds"
    assert said.code == 2, said
    (error,) = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert place in error
    assert KINDS[kind] in error


def test_a_pipe_as_dockers_own_configuration_is_refused_at_once(live: LiveStack) -> None:
    live.compose({"a": {"image": "dartsctl-test/busybox:1"}})
    config = live.folder / "docker"
    config.mkdir()
    os.mkfifo(config / "config.json")
    said = live.run("check", "-f", "compose.json", timeout=30, DOCKER_CONFIG=str(config))
    assert said.code == 5, said
    assert "config.json cannot be read: it is a named pipe" in said.err


def test_a_folder_named_like_the_env_file_is_no_env_file(live: LiveStack) -> None:
    """Compose leaves it out too: a virtual environment may have that name."""
    live.compose({"a": {"image": "dartsctl-test/busybox:1"}})
    (live.folder / ".env").mkdir()
    assert live.run("check", "-f", "compose.json", "--no-engine").code == 0
