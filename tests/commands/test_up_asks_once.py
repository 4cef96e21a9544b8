"""What one `up` and one `down` cost: each process that is started, each request to the engine.

Nobody adds one by accident: whoever has a reason changes the numbers here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dartsctl.edges.engine.address import endpoint
from fakes.relay import Relay
from own_images import BUSYBOX

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)
pytestmark = pytest.mark.engine

_RUN = """
import sys, time
file = open(sys.argv.pop(1), "a", buffering=1)
starts = {"os.posix_spawn": 1, "subprocess.Popen": 1, "os.exec": 1, "os.system": 0}
def note(event, arguments):
    if event in starts:
        file.write(f"{time.monotonic()} {arguments[starts[event]]!r}\\n")
    elif event in ("os.fork", "os.forkpty"):
        file.write(f"{time.monotonic()} {event}\\n")
sys.addaudithook(note)
from dartsctl.__main__ import run
sys.exit(run())
"""
"""dartsctl, with a line in a file for each process that it starts."""
_ID, _FILTERS = re.compile(r"[0-9a-f]{64}"), re.compile(r"\?filters=.*")
LIST = "GET /containers/json?all=1"
DESCRIPTION = "GET /containers/ID/json"


@dataclass(frozen=True)
class Cost:
    """What one run started and asked, in order."""

    processes: list[str]
    """The words of Compose after the options that name the project; other processes as they are."""
    before: list[str]
    """The requests before Compose began to change something."""
    after: list[str]

    @property
    def readings(self) -> list[list[str]]:
        """What was asked after Compose: each list of the containers with what followed it."""
        readings: list[list[str]] = [[]]
        for request in self.after:
            if request == LIST:
                readings.append([])
            readings[-1].append(request)
        return readings


class Counting:
    """Runs dartsctl on the test's stack, and counts."""

    def __init__(self, live: LiveStack, relay: Relay) -> None:
        self._live = live
        self._relay = relay
        self._file = live.folder / "processes"

    def run(self, *words: str) -> Cost:
        live, relay = self._live, self._relay
        own = live.identities()
        self._file.write_text("")
        relay.asked.clear()
        done = subprocess.run(
            [sys.executable, "-c", _RUN, self._file, *words],
            cwd=live.folder,
            env={**live.environ, "DOCKER_HOST": relay.address},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        started = [self._started(line) for line in self._file.read_text().splitlines()]
        changing = next(when for when, words in started if words.startswith("--progress plain"))
        own |= live.identities()
        asked: list[tuple[float, str]] = []
        for when, request in relay.asked:
            if own.issuperset(_ID.findall(request)):  # others start and end beside this test
                asked.append((when, _ID.sub("ID", _FILTERS.sub("", request))))
        return Cost(
            sorted(words for _, words in started if "version --short" not in words),
            [words for when, words in asked if when < changing],
            [words for when, words in asked if when > changing],
        )

    def _started(self, line: str) -> tuple[float, str]:
        when, _, command = line.partition(" ")
        words = re.findall(r"'([^']*)'", command)
        if self._live.project in words:
            words = words[words.index(self._live.project) + 1 :]
        return float(when), " ".join(words)


@pytest.fixture
def counting(live: LiveStack, tmp_path: Path) -> Iterator[Counting]:
    """A stack of two services with health checks, none of which is a proxy."""
    from live.stack import healthy

    slowly = "sleep 2"  # so that dartsctl waits for it
    web = healthy(f"127.0.0.1:{live.ports[0]}:8000", after=slowly)
    live.compose({"web": web, "db": healthy(after=slowly)})
    live.settings()
    live.of()
    relay = Relay(tmp_path / "relay.sock", endpoint(os.environ))
    yield Counting(live, relay)
    relay.close()


def test_nothing_is_asked_twice_in_one_up_or_down(counting: Counting, live: LiveStack) -> None:
    network = f"GET /networks/{live.project}_default"
    cold = counting.run("prod", "up")
    assert cold.processes == ["--progress plain up --detach", "config --format json"]
    assert Counter(cold.before) == {"GET /version": 1, LIST: 1, network: 1}
    requests = Counter(cold.after)
    for name in ("web", "db"):
        assert requests.pop(f"GET /containers/{live.project}-{name}-1/json") == 1, "its id"
    assert requests.pop(network) == 1, "its id"
    assert requests.pop(f"GET /images/{BUSYBOX}/json") == 1, "its health check"
    assert requests.pop("GET /events") == 1
    assert requests.keys() == {LIST, DESCRIPTION}
    for reading in cold.readings:
        assert Counter(reading)[DESCRIPTION] <= 2, "each container once in one look"

    warm = counting.run("prod", "up")
    assert warm.processes == [
        "--progress plain up --detach",
        "config --format json",
        "config --hash *",
    ]
    assert Counter(warm.before) == {"GET /version": 1, LIST: 1, network: 1}
    assert Counter(warm.after) == {LIST: 1, DESCRIPTION: 2}

    down = counting.run("prod", "down")
    assert down.processes == ["--progress plain down", "config --format json"]
    assert Counter(down.before) == {LIST: 1, DESCRIPTION: 2}
    assert Counter(down.after) == {LIST: 1}
