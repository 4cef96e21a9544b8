"""Cold starts of a stack shaped like the real darts server's: "is up" means that it answers.

    PYTHONPATH=tests python tests/campaign/cold_starts.py --count 20   # or: make cold-starts N=20

Each round removes the stack with its volumes, runs `dartsctl prod up`, and asks nginx for `/` and
`/api/` from the moment when that ends. A 502, 503 or 504, no answer, or an `up` that fails is
wrong. Exit code 1 with what was seen.
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
from dataclasses import dataclass
from pathlib import Path

from live import darts_server
from live.clients import connect, own_port
from live.darts_server import DartsServer

WATCHED = 3.0
"""Seconds for which nginx is asked after `up`."""
LIMIT = 400
"""Seconds for one `up`, images included."""
GOOD = {"/": 302, "/api/": 200}


@dataclass(frozen=True)
class Start:
    """One cold start: seconds, and what was wrong."""

    seconds: float
    wrong: tuple[str, ...]
    text: str


def starts(
    count: int, *, seed: int = 1, build: bool = False, settling_time: float = 5
) -> list[Start]:
    """Return `count` cold starts of one copy of the repository. `build`: without its images.

    `seed` decides how long the app and the gateway take in each start. `settling_time` is in
    seconds, and doubled by each restart of the gateway, which ends without its broker.
    """
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        repository = darts_server.write(Path(folder), f"cold-{uuid.uuid4().hex[:8]}")
        repository.settings()
        if build:  # no layer of an earlier build fits
            with (Path(folder) / "requirements.txt").open("a") as requirements:
                requirements.write(f"# {repository.prefix}\n")
        try:
            return [
                _start(
                    repository,
                    app=chance.uniform(0, 12),
                    gateway=chance.uniform(0, 12),
                    settling_time=settling_time,
                )
                for _ in range(count)
            ]
        finally:
            remove(repository)
            images = [f"{repository.prefix}-darts-app", f"{repository.prefix}-api-gateway"]
            _docker("image", "rm", "-f", *images)


def _start(repository: DartsServer, *, app: float, gateway: float, settling_time: float) -> Start:
    """Start the stack. `app` and `gateway` are seconds from a process to its listener."""
    remove(repository)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "dartsctl", "prod", "up"],
        cwd=repository.folder,
        env={
            **os.environ,
            "DARTSCTL_STATE_DIR": str(repository.folder / ".state"),
            "APP_START_SECONDS": f"{app:.1f}",
            "GATEWAY_START_SECONDS": f"{gateway:.1f}",
            "DARTSCTL_SETTLING_TIME": f"{settling_time}",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    seconds = time.monotonic() - began
    wrong = [] if done.returncode == 0 else [f"exit code {done.returncode}"]
    if done.returncode == 0:
        wrong += _watch()
    return Start(seconds, tuple(dict.fromkeys(wrong)), done.stdout + done.stderr)


def _watch() -> list[str]:
    """Ask nginx for a while, and return each wrong answer."""
    wrong = []
    until = time.monotonic() + WATCHED
    while time.monotonic() < until:
        for path, good in GOOD.items():
            status = _status(path)
            if status != good:
                wrong.append(f"{path} answers {status or 'nothing'}")
        time.sleep(0.2)
    return wrong


def _status(path: str) -> int:
    connection = connect(443)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def remove(repository: DartsServer) -> None:
    """Remove the stack's containers, network and volume."""
    _docker("rm", "-f", "-v", *repository.containers)
    _docker("network", "rm", f"{repository.prefix}_darts-network")
    _docker("volume", "rm", f"{repository.prefix}_postgres_data")


def _docker(*words: str) -> None:
    subprocess.run(
        ["docker", *words], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60
    )


def main() -> int:
    """Run the starts and print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--build", action="store_true", help="build the images in the first start")
    parser.add_argument("--verbose", action="store_true", help="show what each `up` says")
    options = parser.parse_args()
    print(f"nginx is at https://127.0.0.1:{own_port(443)}/", flush=True)
    results = starts(options.count, seed=options.seed, build=options.build)
    for number, start in enumerate(results, 1):
        print(f"{number:3}  {start.seconds:5.1f} s  {', '.join(start.wrong) or 'well'}")
        if start.wrong or options.verbose:
            print(start.text)
    bad = sum(1 for start in results if start.wrong)
    print(f"{len(results)} cold starts, {bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
