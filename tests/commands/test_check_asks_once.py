"""What one `check` costs: each process that is started, each request to the engine, their order.

Nobody adds one by accident: whoever has a reason changes the numbers here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dartsctl.edges.engine.address import endpoint
from fakes.relay import Relay
from own_images import BUSYBOX
from own_ports import free_ports

pytestmark = pytest.mark.engine

_RUN = """
import sys
place = sys.argv.pop(1)
events = []
def note(event, arguments):
    if event == "os.posix_spawn":
        words = " ".join(arguments[1])
        events.append(words[words.find("config --"):])
    elif event in ("subprocess.Popen", "os.exec", "os.fork", "os.system"):
        events.append(event)
    elif event == "import" and arguments[0] == "dartsctl.cli":
        events.append("the rest")
from dartsctl.edges.engine import early_config
early_config._FRESH = 100.0  # however slow the machine is
sys.addaudithook(note)
from dartsctl.__main__ import answer
code = answer(sys.argv[1:])
with open(place, "w") as file:
    file.write("\\n".join(events))
sys.exit(code)
"""
"""dartsctl, with the processes that it starts and the moment when its rest is imported."""
CONFIG = "config --format json"

Check = Callable[[], tuple[list[str], list[str]]]


@pytest.fixture
def check(tmp_path: Path) -> Iterator[Check]:
    """Return a function that checks a stack with a volume: what it started, and what it asked."""
    relay = Relay(tmp_path / "relay.sock", endpoint(os.environ))
    port = free_ports(1)[0]
    (tmp_path / "compose.yml").write_text(
        f"services:\n  web:\n    image: {BUSYBOX}\n    ports: ['127.0.0.1:{port}:80']\n"
        "    volumes: ['data:/data']\nvolumes:\n  data:\n"
    )
    (tmp_path / "dartsctl.toml").write_text('[prod]\nfiles = ["compose.yml"]\nproject = "shop"\n')
    (tmp_path / ".env.production").touch(0o600)

    def run() -> tuple[list[str], list[str]]:
        relay.asked.clear()
        done = subprocess.run(
            [sys.executable, "-c", _RUN, str(tmp_path / "events"), "prod", "check", "--json"],
            cwd=tmp_path,
            env={**os.environ, "DOCKER_HOST": relay.address},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return (tmp_path / "events").read_text().splitlines(), [words for _, words in relay.asked]

    yield run
    relay.close()


def test_a_check_starts_compose_first_and_asks_nothing_twice(check: Check) -> None:
    check()  # finds out what to start, and Compose's version
    started, asked = check()
    assert started == [CONFIG, "the rest"]
    *before, owner = asked
    assert before == ["GET /version", "GET /containers/json?all=1"]
    assert owner == "GET /volumes/shop_data"


def test_a_changed_check_makes_the_call_that_it_finds_out(check: Check, tmp_path: Path) -> None:
    check()
    (tmp_path / "dartsctl.toml").write_text('[prod]\nfiles = ["compose.yml"]\nproject = "other"\n')
    assert check()[0] == [CONFIG, "the rest", CONFIG]
    assert check()[0] == [CONFIG, "the rest"]
