"""A small stack, a watch that reserves its ports, and squatters that want them."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dartsctl.edges.reserve.bind_gate import BindGate
from dartsctl.stack.bindings import Endpoint
from own_ports import free_ports

LIMIT = 180
"""Seconds for one command."""
RESERVED = " reserved "
"""What the line has that says that ports are held."""
SQUATTER = """
import socket, sys
addresses, ports, log = sys.argv[1].split(), sys.argv[2].split(), sys.argv[3]
pairs = [(address, int(port)) for address in addresses for port in ports]
tried = 0
print("tries", flush=True)
while True:
    for address, port in pairs:
        server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((address, port))
            server.listen(5)
        except OSError:
            server.close()
        else:
            with open(log, "a") as file:
                file.write(f"{address} got {port} at try {tried}\\n")
            server.close()
        tried += 1
"""
COMPOSE = """
name: {project}
services:
  web:
    image: dartsctl-test/busybox:1
    command: ["sh", "-c", "httpd -p 81 -h /tmp; httpd -f -p 80 -h /tmp"]
    init: true
    stop_grace_period: 1s
    healthcheck: {{test: ["CMD", "true"], interval: 500ms}}
    ports: ["{first}:80", "127.0.0.1:{second}:81"]
"""


class Stack:
    """A small stack with its own state folder. Its ports are `ports`."""

    def __init__(
        self, folder: Path, *, name: str = "reserve", ports: Sequence[int] | None = None
    ) -> None:
        """`ports`: those of another stack with the same state folder's parent."""
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.project = f"{name}-{uuid.uuid4().hex[:8]}"
        self.ports = ports or free_ports(2)
        self.state = folder / "state"
        if ports:
            self.state = folder.parent / "state"
        self.seen: list[str] = []
        """What the watch has said until it had the ports."""
        first, second = self.ports
        text = COMPOSE.format(project=self.project, first=first, second=second)
        (folder / "compose.yml").write_text(text)
        settings = f'[prod]\nfiles = ["compose.yml"]\nproject = "{self.project}"\n'
        (folder / "dartsctl.toml").write_text(settings)
        self.log = folder / "squatted"
        self.environment = {
            **os.environ,
            "DARTSCTL_STATE_DIR": str(self.state),
            "DARTSCTL_GUARD": "off",
        }

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "dartsctl", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )

    @contextmanager
    def watched(self, *, through: Sequence[str] = ()) -> Iterator[subprocess.Popen[str]]:
        """Run a watch that reserves the ports; it has them when this begins.

        `through`: a program that starts it.
        """
        with subprocess.Popen(
            [*through, sys.executable, "-m", "dartsctl", "watch", "--reserve"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as watch:
            try:
                self.seen += lines_until(watch, RESERVED)
                yield watch
            finally:
                watch.kill()

    @contextmanager
    def squatted(self, *squatters: str) -> Iterator[None]:
        """Let squatters try all the time, each on its addresses (separated by spaces)."""
        ports = " ".join(map(str, self.ports))
        with ExitStack() as running:
            for address in squatters:
                squatter = running.enter_context(
                    subprocess.Popen(
                        [sys.executable, "-c", SQUATTER, address, ports, str(self.log)],
                        stdout=subprocess.PIPE,
                        text=True,
                    )
                )
                running.callback(squatter.kill)
                lines_until(squatter, "tries")
            yield

    @property
    def squats(self) -> list[str]:
        """What the squatters got."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def remove(self) -> None:
        self.run("prod", "down")


def has_gate() -> bool:
    """Return whether this user may put a gate around ports, on this kernel."""
    try:
        BindGate([Endpoint(1, "127.0.0.1")]).close()
    except OSError:
        return False
    return True


def lines_until(process: subprocess.Popen[str], words: str) -> list[str]:
    """Return its lines until one has these words. Raises AssertionError if the process ends."""
    assert process.stdout is not None
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line)
        if words in line:
            return seen
    raise AssertionError(f"ended without a line {words!r}: {''.join(seen)}")
