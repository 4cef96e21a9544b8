"""A remote engine: the real one over TCP, and ones that never answer."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from dartsctl.edges.engine.address import endpoint
from dartsctl.edges.engine.remote import RemoteEngine
from dartsctl.errors import DockerUnavailable
from dartsctl.stack.bindings import Endpoint
from dartsctl.text.masker import Masker
from own_images import BUSYBOX

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _serve(
    server: socket.socket, path: str, threads: list[threading.Thread], opened: list[socket.socket]
) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        engine = socket.socket(socket.AF_UNIX)
        engine.connect(path)
        opened += [client, engine]
        for source, sink in ((client, engine), (engine, client)):
            threads.append(threading.Thread(target=_pump, args=(source, sink)))
            threads[-1].start()


@pytest.fixture
def over_tcp() -> Iterator[str]:
    """The real engine's API on a TCP port of this host. Yields its address."""
    path = endpoint(os.environ).removeprefix("unix://")
    threads: list[threading.Thread] = []
    opened: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        threads.append(threading.Thread(target=_serve, args=(server, path, threads, opened)))
        threads[0].start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    for connection in opened:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(10)
    for connection in opened:
        connection.close()


# --- a remote engine ---


@pytest.mark.engine
def test_a_remote_engine_lists_its_containers(
    over_tcp: str, live: LiveStack
) -> None:  # edge-cases.md#43
    from live.stack import docker, sleeper

    live.compose(
        {
            "web": sleeper(f"127.0.0.1:{live.ports[0]}:80", f"{live.ports[1]}:53/udp"),
            "gone": sleeper(),
        }
    )
    live.up()
    docker("stop", "-t", "0", f"{live.project}-gone-1")
    engine = RemoteEngine(over_tcp)
    rules = engine.describe()
    assert rules.version == docker("version", "--format", "{{.Server.Version}}").strip()
    assert not rules.is_here
    own = {
        container.service: container
        for container in engine.containers()
        if container.project == live.project
    }
    assert {name: container.state for name, container in own.items()} == {
        "web": "running",
        "gone": "exited",
    }
    assert dict(own["web"].targets)[Endpoint(live.ports[0], "127.0.0.1")] == 80
    assert {
        binding.address for binding in own["web"].published if binding.port == live.ports[1]
    } == {
        "0.0.0.0",
        "::",
    }


@pytest.mark.engine
def test_sockets_of_this_host_do_not_count_for_a_remote_engine(
    over_tcp: str, live: LiveStack
) -> None:  # edge-cases.md#43
    from live.stack import sleeper

    live.listen(live.ports[0])
    live.compose({"web": sleeper(f"{live.ports[0]}:80")})
    result = live.run("check", "-f", "compose.json", DOCKER_HOST=over_tcp)
    assert result.code == 0, result.err
    assert "1 binding checked; host sockets were not: the engine at" in result.err
    assert "is not on this host" in result.err
    rival = live.container("-p", f"{live.ports[1]}:80", BUSYBOX, "sleep", "600")
    live.compose({"web": sleeper(f"{live.ports[1]}:80")})
    # docker ignores what is before the @
    with_password = over_tcp.replace("tcp://", "tcp://user:canary@")
    result = live.run("check", "-f", "compose.json", "--json", DOCKER_HOST=with_password)
    assert "canary" not in result.text
    assert result.code == 3
    assert result.document["engine"]["local_sockets_checked"] is False
    assert result.document["conflicts"][0]["holders"][0]["container"] == rival


@pytest.mark.engine
def test_up_ps_and_down_work_on_a_remote_engine(over_tcp: str, live: LiveStack) -> None:
    from live.stack import docker, ended, sleeper

    check = {"test": ["CMD-SHELL", "test -e /up"], "interval": "1s", "start_period": "300s"}
    live.compose(
        {
            "web": sleeper(f"{live.ports[0]}:80", healthcheck=check),
            "migrate": sleeper(command=["true"]),
        }
    )
    live.settings()
    up = live.start("prod", "up", DOCKER_HOST=over_tcp)
    assert up.stdout is not None
    lines = list(
        itertools.takewhile(lambda line: "waiting for web (starting)" not in line, up.stdout)
    )
    assert up.poll() is None, lines
    docker("exec", f"{live.project}-web-1", "touch", "/up")
    code, rest = ended(up)
    assert code == 0, rest
    assert "is up: 1 container ready, 1 done" in rest
    ps = live.run("prod", "ps", DOCKER_HOST=over_tcp)
    assert ps.code == 0
    assert f"{live.project}-web-1" in ps.out
    assert live.run("prod", "down", DOCKER_HOST=over_tcp).code == 0
    assert live.leftovers() == []


@pytest.mark.skipif(not shutil.which("docker"), reason="needs the docker command")
def test_a_missing_remote_engine_is_docker_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
    for ask in (RemoteEngine(address).describe, RemoteEngine(address).containers):
        with pytest.raises(DockerUnavailable, match=f"no Docker engine answers at {address}"):
            ask()


@pytest.mark.skipif(not shutil.which("docker"), reason="needs the docker command")
def test_an_engine_that_accepts_connections_and_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://user:canary@127.0.0.1:{server.getsockname()[1]}"
        started = time.monotonic()
        for ask in (
            RemoteEngine(address, deadline=1).describe,
            RemoteEngine(address, deadline=1).containers,
        ):
            with pytest.raises(DockerUnavailable, match="did not answer within 1 s") as caught:
                ask()
            assert "canary" not in Masker().line(caught.value.message), "as the Screen shows it"
        assert time.monotonic() - started < 60
