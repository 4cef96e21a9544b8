"""Reading the engine's description of a container: recorded answers of engine 28.5.2."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from dartsctl.diagnosis import inspection
from dartsctl.diagnosis.facts import ContainerFacts, PublishedPort
from dartsctl.diagnosis.inspection import Inspection
from dartsctl.diagnosis.nginx.log import parse_moment
from dartsctl.errors import DockerUnavailable
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.containers import Container
from dartsctl.text.strict_json import Cursor, Source

DATA = Path(__file__).parents[1] / "data/engine"
CANARY = "canary-7fb1c2d93e"


def recorded(name: str) -> dict[str, Any]:
    document = json.loads((DATA / f"{name}.json").read_text())
    assert isinstance(document, dict)
    return document


def read(document: dict[str, Any]) -> Inspection:
    return inspection.read(
        Cursor(document, Source("the engine", error=DockerUnavailable), "container")
    )


def facts(document: dict[str, Any]) -> ContainerFacts:
    return read(document).of_service("web")


def test_a_running_container_is_read_with_its_ports_and_networks() -> None:
    container = facts(recorded("running"))
    assert (container.service, container.name, container.state, container.restart_policy) == (
        "web",
        "shop-web-1",
        "running",
        "unless-stopped",
    )
    assert container.wanted == container.bound == (PublishedPort(80, Endpoint(24999, "127.0.0.1")),)
    assert list(container.networks) == ["bridge"]
    assert container.memory_limit == 64 * 2**20
    assert container.started is not None
    assert container.finished is None, "the engine's year 1 is no time"


def test_the_environment_is_not_in_the_facts() -> None:
    assert CANARY in json.dumps(recorded("running"))
    assert CANARY not in repr(read(recorded("running")))
    assert read(recorded("running")).environment["DB_PASSWORD"] == CANARY


def test_the_engine_s_error_and_the_last_failed_health_check_are_read() -> None:
    document = recorded("running")
    document["State"] |= {
        "Error": f"cannot mount {CANARY}",
        "Health": {
            "Status": "unhealthy",
            "Log": [{"ExitCode": 1, "Output": f"{CANARY}\n"}, {"ExitCode": 0, "Output": "fine"}],
        },
    }
    container = facts(document)
    assert (container.error, container.health, container.health_output) == (
        f"cannot mount {CANARY}",
        "unhealthy",
        CANARY,
    )


@pytest.mark.parametrize(
    ("codes", "since"),
    [((), None), ((0, 0), None), ((1, 1), 0), ((1, 0, 1, 2), 2), ((1, 1, 0), None)],
)
def test_unhealthy_since_the_first_of_the_failures_in_a_row(
    codes: tuple[int, ...], since: int | None
) -> None:
    document = recorded("running")
    rows = [
        {"ExitCode": code, "Output": "", "Start": f"2026-11-23T23:00:0{second}Z"}
        for second, code in enumerate(codes)
    ]
    document["State"] |= {"Health": {"Status": "unhealthy", "Log": rows}}
    expected = None
    if since is not None:
        expected = parse_moment(f"2026-11-23T23:00:0{since}Z")
    assert facts(document).unhealthy_since == expected


NULLS = {
    "Id": "5f",
    "State": {"Status": "dead"},
    "HostConfig": None,
    "NetworkSettings": None,
    "Config": None,
    "Args": None,
}


def test_null_is_empty() -> None:
    inspected = read(NULLS)
    assert (
        inspected.facts.state,
        inspected.environment,
        inspected.command,
        inspected.arguments,
    ) == (
        "dead",
        {},
        (),
        (),
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"State": None}, "the engine: container.State.Status: expected text, got nothing"),
        ({"State": []}, "the engine: container.State: expected a mapping, got a list"),
        (
            {"RestartCount": "7"},
            (
                "the engine: container.RestartCount: "
                "expected a number from 0 to 9223372036854775807, got text"
            ),
        ),
        ({"Config": {"Env": [7]}}, "the engine: container.Config.Env[0]: expected text, got 7"),
        (
            {"NetworkSettings": {"Networks": {"a": {"IPAddress": "x"}}}},
            "the engine: container.NetworkSettings.Networks.a.IPAddress: expected an IP",
        ),
        (
            {"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "99999"}]}}},
            "PortBindings.80/tcp[0].HostPort: expected a port number",
        ),
        (
            {"HostConfig": {"PortBindings": {"http": []}}},
            "PortBindings.http: expected a port number and a protocol",
        ),
    ],
)
def test_a_wrong_shape_is_an_error_that_names_its_place(
    change: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(DockerUnavailable, match=re.escape(sentence)):
        read(NULLS | change)


@pytest.mark.parametrize(
    ("mode", "networks", "there"),
    [
        ("demo_default", {"demo_default": {"EndpointID": "ab", "IPAddress": "172.18.0.2"}}, True),
        ("demo_default", {}, False),
        ("demo_default", {"demo_default": {"EndpointID": "", "IPAddress": ""}}, False),
        ("demo_default", {"demo_default": None}, False),
        ("host", {}, True),
        ("none", {}, True),
        ("container:abc", {}, True),
    ],
)
def test_a_container_is_on_a_network_or_needs_none(
    mode: str, networks: dict[str, object], there: bool
) -> None:
    assert (
        read(
            NULLS | {"HostConfig": {"NetworkMode": mode}, "NetworkSettings": {"Networks": networks}}
        ).has_network
        is there
    )


def test_only_ports_with_one_number_are_fixed() -> None:
    bindings = {
        "80/tcp": [{"HostPort": "8080"}, {"HostPort": ""}],
        "81/tcp": [{"HostPort": "90-99"}],
    }
    assert read(NULLS | {"HostConfig": {"PortBindings": bindings}}).fixed_ports == (8080,)


def test_ephemeral_ports_and_ranges_are_read() -> None:
    document = recorded("running")
    document["HostConfig"]["PortBindings"] = {
        "80/tcp": [{"HostIp": "", "HostPort": ""}],
        "81/udp": [{"HostIp": "::", "HostPort": "7000-7009"}],
    }
    container = facts(document)
    assert container.wanted == (
        PublishedPort(80, Endpoint(0, "0.0.0.0")),
        PublishedPort(81, Endpoint(7000, "::", "udp")),
    )


def test_the_list_of_containers_has_the_exit_code() -> None:
    """What is known of a container of a remote engine."""
    container = inspection.listed(
        Container("5f", "shop-app-1", "app", "exited", "Exited (137) 2 minutes ago")
    )
    assert (container.state, container.exit_code, container.log, container.listening) == (
        "exited",
        137,
        None,
        None,
    )


def test_a_protocol_that_no_engine_binds_in_any_container_is_no_error() -> None:
    ports = {"53/upd": [{"HostPort": "53"}], "80/tcp": [{"HostPort": "8080"}]}
    wanted = read(NULLS | {"HostConfig": {"PortBindings": ports}}).facts.wanted
    assert [place.target for place in wanted] == [80]
