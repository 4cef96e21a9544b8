"""The way of a newcomer in a repository like the real darts server's: `init`, `prod up`, `dev`.

Nothing is edited but what the identity provider has given to a person.
"""

from __future__ import annotations

import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)

pytestmark = [pytest.mark.engine, pytest.mark.stack, pytest.mark.timeout(900)]

FAST = {
    "APP_START_SECONDS": "0",
    "GATEWAY_START_SECONDS": "0",
    "DARTSCTL_SETTLING_TIME": "1",
}
"""What the services take until they listen is another test's matter."""
OF_THE_IDENTITY_PROVIDER = ("WSO2_CLIENT_ID", "WSO2_CLIENT_SECRET", "WSO2_IS_INTROSPECT_PASSWORD")


def write_value(file: Path, name: str, value: str) -> None:
    """Do what the file itself asks a person for: remove the # and write the value."""
    text, count = re.subn(rf"(?m)^# {name}=.*$", f"{name}={value}", file.read_text())
    assert count == 1, name
    file.write_text(text)


@pytest.fixture
def repository(live: LiveStack) -> Iterator[Path]:
    """The folder of a repository whose name nobody else has; its projects are removed."""
    from live.stack import docker

    yield live.folder.parent / live.project
    for service in ("darts-app", "api-gateway"):
        docker("image", "rm", "-f", f"{live.of(live.project)}-{service}", check=False)
    live.of(f"{live.project}-dev")
    live.close(wait=True)  # the next stack of this process has the same host ports


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("run.py", ("dev",)),
        ("app.py", ("dev", "--no-services")),  # its dev stack is that of run.py
    ],
)
def test_from_nothing_to_production_behind_nginx_and_a_server_beside_it(
    live: LiveStack, repository: Path, entry: str, words: tuple[str, ...]
) -> None:
    from live import darts_server
    from live.clients import status
    from live.stack import one_stack_at_a_time

    darts_server.write(repository, live.project, entry=entry)
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    said = live.run("init", "--yes", cwd=repository)
    assert said.code == 0, said.text
    for name in OF_THE_IDENTITY_PROVIDER:
        assert f"  set {name} in .env.production: " in said.err
        write_value(repository / ".env.production", name, secrets.token_hex(24))
    said = live.run("init", "--check", cwd=repository)
    assert said.code == 0, said.text
    assert said.err.splitlines()[-2] == "next: dartsctl prod up"
    with one_stack_at_a_time():
        said = live.run("prod", "up", cwd=repository, env=FAST, timeout=300)
        assert said.code == 0, said.text
        assert status(443) == 302
        page = page_of(live, repository, words)
        assert "Let's play darts" in page
        assert status(443) == 302


def page_of(live: LiveStack, repository: Path, words: tuple[str, ...]) -> str:
    """Start a server with `dartsctl WORDS`, and return the page at its URL."""
    from live.clients import ask

    server = live.spawn(
        [sys.executable, "-m", "dartsctl", *words],
        cwd=repository,
        env={**live.environ, **FAST},
        stderr=subprocess.STDOUT,
    )
    lines: list[str] = []
    assert server.stdout is not None
    for line in server.stdout:
        lines.append(line)
        if url := re.search(r"dartsctl: http://127\.0\.0\.1:(\d+)", line):
            page = ask("/login", port=int(url[1])).body
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=60)
            return page
    pytest.fail("".join(lines))
