"""Squatters against `watch --reserve`: they try to bind production's ports without a pause.

    PYTHONPATH=tests python tests/campaign/reserve.py --count 50   # or: make reserve N=50

A watch reserves the ports of a small stack. Squatters try in a tight loop, with SO_REUSEADDR as
werkzeug does, on 127.0.0.1, 0.0.0.0 and ::. Each round is `prod up` and `prod down`. A squatter
that gets a port, and an `up` that fails, is wrong. Exit code 1 with what was seen. It needs root:
without the gate a squatter is faster than the engine.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from own_ports import free_ports

LIMIT = 180
"""Seconds for one command."""
RESERVED = "reserved "
"""How the line begins that says that ports are held."""
SQUATTER = """
import socket, sys
address, ports, log = sys.argv[1], [int(port) for port in sys.argv[2].split(",")], sys.argv[3]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
tried = 0
print("tries", flush=True)
while True:
    for port in ports:
        server = socket.socket(family)
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
    ports: ["{first}:80", "127.0.0.1:{second}:81"]
"""


class Stack:
    """A small stack with its own state folder. Its ports are `ports`."""

    def __init__(self, folder: Path, *, name: str = "reserve") -> None:
        self.folder = folder
        self.project = f"{name}-{uuid.uuid4().hex[:8]}"
        self.ports = free_ports(2)
        first, second = self.ports
        text = COMPOSE.format(project=self.project, first=first, second=second)
        (folder / "compose.yml").write_text(text)
        settings = f'[prod]\nfiles = ["compose.yml"]\nproject = "{self.project}"\n'
        (folder / "dartsctl.toml").write_text(settings)
        self.log = folder / "squatted"
        self.environment = {
            **os.environ,
            "DARTSCTL_STATE_DIR": str(folder / "state"),
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
    def watched(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """Run a watch that reserves the ports; it has them when this begins."""
        with subprocess.Popen(
            [sys.executable, "-m", "dartsctl", "watch", "--reserve", *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as watch:
            try:
                wait_for_line(watch, RESERVED)
                yield watch
            finally:
                watch.kill()

    @contextmanager
    def squatted(self) -> Iterator[None]:
        """Let squatters try all the time."""
        ports = ",".join(map(str, self.ports))
        with ExitStack() as running:
            for address in ("127.0.0.1", "0.0.0.0", "::"):
                squatter = running.enter_context(
                    subprocess.Popen(
                        [sys.executable, "-c", SQUATTER, address, ports, str(self.log)],
                        stdout=subprocess.PIPE,
                        text=True,
                    )
                )
                running.callback(squatter.kill)
                wait_for_line(squatter, "tries")
            yield

    @property
    def squats(self) -> list[str]:
        """What the squatters got."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def remove(self) -> None:
        self.run("prod", "down")


def wait_for_line(process: subprocess.Popen[str], beginning: str) -> str:
    """Return the first line with this beginning. Raises AssertionError if the process ends."""
    assert process.stdout is not None
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line)
        if line.startswith(beginning):
            return line
    raise AssertionError(f"ended without a line {beginning!r}: {''.join(seen)}")


def rounds(count: int, *, seed: int = 1) -> list[str]:
    """Return what was wrong in `count` rounds. `seed` decides the pauses between the verbs."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder))
        try:
            with stack.watched(), stack.squatted():
                wrong: list[str] = []
                for number in range(count):
                    wrong += _round(stack, number, chance)
                return [*wrong, *stack.squats]
        finally:
            stack.remove()


def _round(stack: Stack, number: int, chance: random.Random) -> list[str]:
    wrong: list[str] = []
    for verb in ("up", "down"):
        done = stack.run("prod", verb)
        if done.returncode:
            wrong.append(f"round {number}: {verb} ended with {done.returncode}: {done.stderr}")
        time.sleep(chance.choice((0, 0, 0.5, 2)))  # at once, or when the ports are held again
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    wrong = rounds(options.count, seed=options.seed)
    for line in wrong:
        print(line)
    print(f"{options.count} rounds in {time.monotonic() - began:.0f} s: {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
