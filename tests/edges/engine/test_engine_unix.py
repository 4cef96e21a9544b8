"""The engine's API on its socket: the real engine, and sockets that answer nonsense."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dartsctl.edges.engine.address import DEFAULT_ENDPOINT, endpoint
from dartsctl.edges.engine.unix import UnixEngine
from dartsctl.errors import DockerUnavailable, ExitCode
from dartsctl.stack.bindings import Endpoint

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)


@contextmanager
def answering(folder: Path, answer: bytes) -> Iterator[str]:
    """An engine that sends `answer` to every client. Yields its address."""
    path = folder / "engine.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


# --- which engine ---


def test_docker_host_comes_before_the_context(tmp_path: Path) -> None:  # edge-cases.md#43
    config(tmp_path, "there", "tcp://192.0.2.9:2375")
    assert endpoint({"DOCKER_CONFIG": str(tmp_path), "DOCKER_HOST": "ssh://box"}) == "ssh://box"
    assert endpoint({"DOCKER_CONFIG": str(tmp_path)}) == "tcp://192.0.2.9:2375"
    assert (
        endpoint({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "default"}) == DEFAULT_ENDPOINT
    )


def config(folder: Path, context: str, host: str) -> None:
    """A Docker configuration whose current context is `context`."""
    (folder / "config.json").write_text(json.dumps({"currentContext": context}))
    meta = folder / "contexts" / "meta" / hashlib.sha256(context.encode()).hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(
        json.dumps({"Name": context, "Endpoints": {"docker": {"Host": host}}})
    )


@pytest.mark.parametrize(
    "text",
    [None, "{}", "not json", "[]", '{"currentContext": ""}', '{"currentContext": "default"}'],
)
def test_without_a_context_it_is_the_default_socket(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    assert endpoint({"DOCKER_CONFIG": str(tmp_path)}) == DEFAULT_ENDPOINT


def test_an_unknown_context_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        DockerUnavailable, match="the Docker context 'gone' does not exist"
    ) as caught:
        endpoint({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "gone"})
    assert caught.value.code is ExitCode.NO_DOCKER


# --- the real engine ---


@pytest.fixture
def engine() -> UnixEngine:
    return UnixEngine(endpoint(os.environ))


@pytest.mark.engine
def test_the_engine_reports_its_version_and_that_it_is_local(engine: UnixEngine) -> None:
    from live.stack import docker

    rules = engine.describe()
    assert rules.version == docker("version", "--format", "{{.Server.Version}}").strip()
    assert rules.is_here
    assert rules.endpoint == engine.address


@pytest.mark.engine
def test_containers_have_everything_that_decides_about_ports(
    engine: UnixEngine, live: LiveStack
) -> None:
    from live.stack import docker, sleeper

    live.compose(
        {
            "web": sleeper(f"127.0.0.1:{live.ports[0]}:80", f"{live.ports[1]}:53/udp", "81"),
            "gone": sleeper(),
            "paused": sleeper(),
        }
    )
    live.up()
    docker("stop", "-t", "0", f"{live.project}-gone-1")
    docker("pause", f"{live.project}-paused-1")
    own = {
        container.service: container
        for container in engine.containers()
        if container.project == live.project
    }
    assert {name: container.state for name, container in own.items()} == {
        "web": "running",
        "gone": "exited",
        "paused": "paused",
    }
    web = own["web"]
    targets = dict(web.targets)
    assert targets[Endpoint(live.ports[0], "127.0.0.1")] == 80
    assert {binding.address for binding in web.published if binding.port == live.ports[1]} == {
        "0.0.0.0",
        "::",
    }
    assert {binding.protocol for binding in web.published if binding.port == live.ports[1]} == {
        "udp"
    }
    assert any(target == 81 for target in targets.values()), "an ephemeral port has a number now"
    assert (web.name, web.number, web.is_one_off) == (f"{live.project}-web-1", 1, False)
    assert web.config_files == (str(live.folder / "compose.json"),)
    assert web.working_dir == str(live.folder)
    assert len(web.config_hash) == 64
    assert own["paused"].holds_ports
    assert not own["gone"].holds_ports
    gone = engine.inspect(own["gone"].id)
    assert gone is not None
    assert gone.facts.exit_code in (0, 137, 143)
    assert engine.inspect("0" * 64) is None


@pytest.mark.engine
def test_a_network_has_what_decides_about_bindings(engine: UnixEngine, live: LiveStack) -> None:
    from live.stack import docker

    options = ["--opt", "com.docker.network.bridge.host_binding_ipv4=127.0.0.1"]
    docker(
        "network",
        "create",
        "--internal",
        "--label",
        f"com.docker.compose.project={live.project}",
        *options,
        f"{live.project}_inner",
    )
    network = engine.network(f"{live.project}_inner")
    assert network is not None
    assert (network.internal, network.external, network.driver, network.host_binding_ipv4) == (
        True,
        True,
        "bridge",
        "127.0.0.1",
    )
    assert engine.network("there is/no such network") is None
    assert engine.remove_network(f"{live.project}_inner") is True
    assert engine.remove_network(f"{live.project}_inner") is False


@pytest.mark.engine
def test_a_container_is_removed_with_its_ports_and_without_its_volumes(
    engine: UnixEngine, live: LiveStack
) -> None:
    from live.stack import sleeper

    live.compose(
        {"web": sleeper(f"{live.ports[0]}:80", volumes=["data:/data"])}, volumes={"data": {}}
    )
    live.up()
    (identity,) = live.identities()
    engine.remove_container(identity)
    engine.remove_container(identity)
    assert live.leftovers() == [f"network {live.project}_default", f"volume {live.project}_data"]


# --- sockets without an engine ---


def test_a_missing_socket_is_docker_unavailable(tmp_path: Path) -> None:
    with pytest.raises(DockerUnavailable, match="no Docker engine answers at unix://"):
        UnixEngine(f"unix://{tmp_path}/none.sock").containers()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.0 500 Internal Server Error\r\n\r\n"
        + json.dumps({"message": "it is full"}).encode(),
        b"HTTP/1.0 503 Service Unavailable\r\n\r\n<html>",
    ],
)
def test_an_invalid_answer_is_docker_unavailable(tmp_path: Path, answer: bytes) -> None:
    with answering(tmp_path, answer) as address, pytest.raises(DockerUnavailable):
        UnixEngine(address, deadline=5).containers()


def test_an_answer_that_is_not_json_is_docker_unavailable(tmp_path: Path) -> None:
    with (
        answering(tmp_path, b"HTTP/1.0 200 OK\r\n\r\n<html>a proxy's page</html>") as address,
        pytest.raises(DockerUnavailable),
    ):
        UnixEngine(address, deadline=5).containers()


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("7", "containers: expected a list, got 7"),
        ("[7]", "containers[0]: expected a mapping, got 7"),
        ("[{}]", "containers[0].State: expected text, got nothing"),
        (
            '[{"Id": "5f", "State": "running", "Ports": [{"PublicPort": 99999}]}]',
            "containers[0].Ports[0].PublicPort: expected a number from 0 to 65535",
        ),
        (
            '[{"Id": "5f", "State": "running", "Ports": [{"PublicPort": 80, "IP": "x"}]}]',
            "containers[0].Ports[0].IP: expected an IP address",
        ),
        ('[{"Id": "5f", "Id": "60"}]', "the answer is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[NaN]", "not JSON"),
        ('["\\ud800"]', "not JSON"),
    ],
)
def test_an_answer_of_an_unexpected_shape_names_the_engine_and_the_path(
    tmp_path: Path, document: str, sentence: str
) -> None:
    with answering(tmp_path, b"HTTP/1.0 200 OK\r\n\r\n" + document.encode()) as address:
        with pytest.raises(DockerUnavailable) as caught:
            UnixEngine(address, deadline=5).containers()
        assert caught.value.message.startswith(f"the engine at {address}: ")
    assert sentence in caught.value.message


@pytest.mark.parametrize(
    "ask",
    [
        lambda engine: engine.network("x"),
        lambda engine: engine.inspect("x"),
        lambda engine: engine.remove_container("x"),
    ],
)
def test_an_object_that_the_engine_does_not_have_is_no_error(
    tmp_path: Path, ask: Callable[[UnixEngine], object]
) -> None:
    with answering(
        tmp_path, b'HTTP/1.0 404 Not Found\r\n\r\n{"message":"No such thing"}'
    ) as address:
        assert not ask(UnixEngine(address, deadline=5))
