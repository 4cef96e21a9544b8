"""Podman's docker-compatible socket, with the answers that Podman 4.3.1 gave.

edge-cases.md#90
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dartsctl.edges.engine.unix import UnixEngine
from dartsctl.ports.lint import unmeasured_engine
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.engine_rules import EngineRules
from fakes.hostile_engine import OK, engine

RECORDED = Path(__file__).parents[2] / "data" / "podman"
MISSING = (
    b'HTTP/1.0 404 Not Found\r\n\r\n{"cause": "no such", "message": "no such", "response": 404}'
)
ANSWERS = {
    "/version": "version",
    "/containers/json": "containers",
    r"/containers/[\w-]+/json": "container",
    "/networks": "networks",
    "/networks/shop-dev_default": "network",
    "/volumes/shop_data": "volume",
}


def answers(connection: socket.socket, request: str) -> None:
    """Answer a request as Podman did."""
    _, _, rest = request.partition(" ")
    path = re.split(r"[ ?]", rest)[0]
    for pattern, name in ANSWERS.items():
        if re.fullmatch(pattern, path):
            connection.sendall(OK + (RECORDED / f"{name}.json").read_bytes())
            return
    connection.sendall(MISSING)


@pytest.fixture
def podman(tmp_path: Path) -> Iterator[UnixEngine]:
    with engine(tmp_path, answers) as address:
        yield UnixEngine(address)


def test_it_is_known_as_podman_and_no_rule_of_a_docker_version_applies(podman: UnixEngine) -> None:
    rules = podman.describe()
    assert (rules.product, rules.version, rules.release) == ("podman", "4.3.1", None)
    (notice,) = unmeasured_engine(rules)
    assert notice.code == "unmeasured-engine"
    assert "Podman 4.3.1: how it publishes ports was not measured" in notice.sentence
    assert unmeasured_engine(EngineRules("28.5.2")) == ()


def test_its_containers_have_their_stack_ports_volumes_and_networks(podman: UnixEngine) -> None:
    (container,) = podman.containers()
    assert (container.project, container.service, container.state) == ("shop-dev", "web", "running")
    assert container.published == (Endpoint(28180, "127.0.0.1"),)
    assert (container.volumes, container.networks) == (("shop_data",), ("shop-dev_default",))


def test_a_container_has_its_network_although_no_endpoint_has_an_id(podman: UnixEngine) -> None:
    inspected = podman.inspect("shop-dev-web-1")
    assert inspected is not None
    assert inspected.has_network
    assert inspected.facts.runs


def test_what_compose_made_has_its_project(podman: UnixEngine) -> None:
    assert podman.owner("volume", "shop_data") == "shop-dev"
    assert podman.owner("network", "shop-dev_default") == "shop-dev"
    assert podman.owner("volume", "other") is None
    networks = {network.name: network.project for network in podman.networks()}
    assert networks == {"bridge": "", "shop-dev_default": "shop-dev"}


@pytest.mark.parametrize(
    ("listed", "state"), [("stopped", "exited"), ("configured", "created"), ("exited", "exited")]
)
def test_a_container_that_does_not_run_holds_no_port_though_podman_lists_them(
    tmp_path: Path, listed: str, state: str
) -> None:
    (row,) = json.loads((RECORDED / "containers.json").read_text())
    rows = json.dumps([row | {"State": listed, "Status": "Exited (0) 2 hours ago"}]).encode()
    with engine(tmp_path, lambda connection, _request: connection.sendall(OK + rows)) as address:
        (container,) = UnixEngine(address).containers()
    assert (container.state, container.published) == (state, ())
    assert not container.holds_ports


def test_mounts_that_are_mere_paths_are_no_volumes(tmp_path: Path) -> None:
    (row,) = json.loads((RECORDED / "containers.json").read_text())
    rows = json.dumps([row | {"Mounts": ["/data"]}]).encode()
    with engine(tmp_path, lambda connection, _request: connection.sendall(OK + rows)) as address:
        (container,) = UnixEngine(address).containers()
    assert container.volumes == ()
