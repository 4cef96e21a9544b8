"""What the engine does inside a container for a diagnosis: a command, its files, its clock."""

from __future__ import annotations

import io
import os
import tarfile
import time
from typing import TYPE_CHECKING

import pytest

from dartsctl.diagnosis.nginx import log
from dartsctl.edges.engine.installation import endpoint
from dartsctl.edges.engine.unix import UnixEngine
from dartsctl.edges.host import network_namespace
from dartsctl.stack.bindings import Endpoint

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)
pytestmark = pytest.mark.engine


@pytest.fixture
def api() -> UnixEngine:
    return UnixEngine(endpoint(os.environ))


@pytest.fixture
def running(live: LiveStack) -> str:
    return live.container("dartsctl-test/busybox:1", "httpd", "-f", "-p", "127.0.0.1:8123")


def test_a_command_s_code_and_both_outputs_come_back_apart(api: UnixEngine, running: str) -> None:
    assert api.execute(running, ["sh", "-c", "echo out; echo err >&2; exit 3"]) == (
        3,
        "out\n",
        "err\n",
    )


def test_a_long_output_is_whole_however_the_engine_cuts_it(api: UnixEngine, running: str) -> None:
    """Frames end in the middle of a line: `nginx -T` was once read with half a word on a line of its own."""
    numbers = "".join(f"{number} is a line of some length\n" for number in range(1, 20001))
    done = api.execute(
        running,
        [
            "sh",
            "-c",
            "i=1; while [ $i -le 20000 ]; do echo $i is a line of some length; i=$((i+1)); done",
        ],
    )
    assert done == (0, numbers, "")


def test_a_command_that_is_not_there_is_none(api: UnixEngine, running: str) -> None:
    assert api.execute(running, ["no-such-command"]) is None


def test_nothing_runs_in_a_container_that_does_not(api: UnixEngine, running: str) -> None:
    from live.stack import docker

    docker("stop", "-t", "0", running)
    assert api.execute(running, ["true"]) is None
    assert api.execute("no-such-container", ["true"]) is None


def test_the_sockets_inside_are_seen_by_a_command_where_the_host_cannot_look(
    api: UnixEngine, running: str
) -> None:
    from live.stack import until

    def seen() -> tuple[Endpoint, ...]:
        done = api.execute(running, ["cat", "/proc/net/tcp", "/proc/net/tcp6"])
        assert done is not None
        return network_namespace.listening((done[1],))

    until(lambda: Endpoint(8123, "127.0.0.1") in seen())


def test_files_come_out_of_a_container_that_runs_and_of_one_that_does_not(
    api: UnixEngine, running: str
) -> None:
    from live.stack import docker

    for _ in range(2):
        with tarfile.open(fileobj=io.BytesIO(api.archive(running, "/etc/."))) as tar:
            assert {"./passwd", "./group"} <= set(tar.getnames())
        docker("stop", "-t", "0", running)
    assert api.archive(running, "/no/such/place") == b""


def test_the_engine_says_what_time_it_is(api: UnixEngine) -> None:
    told = log.moment(api.clock())
    assert told is not None
    assert abs(told - time.time()) < 5
