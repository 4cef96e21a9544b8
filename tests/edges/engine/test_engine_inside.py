"""What the engine does in a container for a diagnosis: commands, files, its clock."""

from __future__ import annotations

import io
import os
import tarfile
import time
from typing import TYPE_CHECKING

import pytest

from dartsctl.diagnosis.nginx import log
from dartsctl.edges.engine.address import endpoint
from dartsctl.edges.engine.unix import UnixEngine
from dartsctl.edges.host import network_namespace
from dartsctl.stack.bindings import Endpoint

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)
pytestmark = pytest.mark.engine


@pytest.fixture
def engine() -> UnixEngine:
    return UnixEngine(endpoint(os.environ), deadline=60.0)


@pytest.fixture
def running(live: LiveStack) -> str:
    return live.container("dartsctl-test/busybox:1", "httpd", "-f", "-p", "127.0.0.1:8123")


def test_a_commands_exit_code_and_both_outputs_are_returned_separately(
    engine: UnixEngine, running: str
) -> None:
    assert engine.execute(running, ["sh", "-c", "echo out; echo err >&2; exit 3"]) == (
        3,
        "out\n",
        "err\n",
    )


def test_a_long_output_is_complete_however_the_engine_frames_it(
    engine: UnixEngine, running: str
) -> None:
    """Frames may end in the middle of a line, as those of `nginx -T` did."""
    numbers = "".join(f"{number} is a line of some length\n" for number in range(1, 20001))
    done = engine.execute(
        running,
        [
            "sh",
            "-c",
            "i=1; while [ $i -le 20000 ]; do echo $i is a line of some length; i=$((i+1)); done",
        ],
    )
    assert done == (0, numbers, "")


def test_a_missing_command_is_none(engine: UnixEngine, running: str) -> None:
    assert engine.execute(running, ["no-such-command"]) is None


def test_no_command_runs_in_a_stopped_container(engine: UnixEngine, running: str) -> None:
    from live.stack import docker

    docker("stop", "-t", "0", running)
    assert engine.execute(running, ["true"]) is None
    assert engine.execute("no-such-container", ["true"]) is None


def test_a_command_lists_the_sockets_inside(engine: UnixEngine, running: str) -> None:
    from live.stack import until

    def listening() -> tuple[Endpoint, ...]:
        done = engine.execute(running, ["cat", "/proc/net/tcp", "/proc/net/tcp6"])
        assert done is not None
        return network_namespace.listening((done[1],))

    until(lambda: Endpoint(8123, "127.0.0.1") in listening())


def test_files_are_read_from_a_running_and_from_a_stopped_container(
    engine: UnixEngine, running: str
) -> None:
    from live.stack import docker

    for _ in range(2):
        with tarfile.open(fileobj=io.BytesIO(engine.archive(running, "/etc/."))) as tar:
            assert {"./passwd", "./group"} <= set(tar.getnames())
        docker("stop", "-t", "0", running)
    assert engine.archive(running, "/no/such/place") == b""


def test_the_engine_reports_its_time(engine: UnixEngine) -> None:
    before = time.time()
    engine_time = log.parse_moment(engine.clock())
    assert engine_time is not None
    assert before - 1 < engine_time < time.time() + 1
