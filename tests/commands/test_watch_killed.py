"""A real watch is killed with SIGKILL: its receivers notice, and no alert comes twice.

No engine is needed: that none answers is the alert.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fakes.receivers import receiver

pytestmark = pytest.mark.once

INTERVAL = 1.0
GRACE = 30.0


@contextmanager
def watching(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run `dartsctl watch` where no engine is."""
    environment = dict(os.environ, DOCKER_HOST=f"unix://{folder}/none.sock")
    with (folder / "output").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dartsctl", "watch"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def titles(bodies: list[str]) -> list[str]:
    return [json.loads(body)["title"].partition(":")[0] for body in bodies]


def test_the_heartbeat_tells_and_the_next_watch_repeats_no_alert(tmp_path: Path) -> None:
    def shown() -> str:
        return (tmp_path / "output").read_text()

    (tmp_path / "compose.prod.yml").write_text("services:\n  web:\n    image: web\n")
    with receiver() as good, receiver("500") as broken, receiver() as heart:
        secret = "/tok3n-tok3n-tok3n"
        (tmp_path / "dartsctl.toml").write_text(
            f"[watch]\nnotify = ['{good.url('json', secret)}', '{broken.url('json', secret)}']\n"
            f"heartbeat = '{heart.url('http', secret)}'\nheartbeat_interval = {INTERVAL}\n"
            "open_after = 1\ninterval = 1\n"
        )
        with watching(tmp_path) as watch:
            good.wait_for(1)
            heart.wait_for(2)
            while "answers 500; its messages wait" not in shown():
                assert watch.poll() is None
                time.sleep(0.02)
            watch.kill()
            watch.wait()
            killed = time.monotonic()
        assert killed - heart.taken[-1][2] < INTERVAL + GRACE, "it was alive until then"
        time.sleep(INTERVAL)  # the last ping may have been under way
        beats = len(heart.taken)
        time.sleep(INTERVAL)
        assert len(heart.taken) == beats, "a receiver notices within interval + grace"
        broken.mode = "ok"
        with watching(tmp_path) as watch:
            broken.wait_for(1)
            heart.wait_for(beats + 2)
            watch.terminate()
            assert watch.wait(60) == 0
        paths = [path.removeprefix(secret) for path in heart.paths]
        everything = titles(good.bodies) + titles(broken.bodies)
    assert everything == ["FAILED", "FAILED"]
    assert good.bodies == broken.bodies
    assert paths[:2] == ["/start", ""]
    assert paths[beats : beats + 2] == ["/start", ""]
    assert set(paths) == {"/start", ""}, "neither a kill nor SIGTERM signals a failure"
    assert "tok3n" not in shown() + saved()


def saved() -> str:
    """Return every text in the state folder."""
    folder = Path(os.environ["DARTSCTL_STATE_DIR"]) / "watch"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "state.json" for path in files)
    return "".join(path.read_text() for path in files)
