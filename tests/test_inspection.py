"""The engine's description of a container, by recorded answers of engine 28.5.2 (tests/data/engine)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dartsctl import inspection
from dartsctl.bindings import Endpoint
from dartsctl.containers import Container
from dartsctl.facts import Wanted

DATA = Path(__file__).parent / "data/engine"
CANARY = "canary-7fb1c2d93e"


def recorded(name: str) -> dict[str, Any]:
    found = json.loads((DATA / f"{name}.json").read_text())
    assert isinstance(found, dict)
    return found


def masked(text: str) -> str:
    return text.replace(CANARY, "***")


def test_a_running_container_is_read_with_its_ports_and_networks() -> None:
    found = inspection.read(recorded("running"), "web", masked)
    assert (found.service, found.name, found.state, found.restart_policy) == ("web", "shop-web-1", "running", "unless-stopped")
    assert found.wanted == found.bound == (Wanted(80, Endpoint(24999, "127.0.0.1")),)
    assert list(found.networks) == ["bridge"]
    assert found.memory_limit == 64 * 2**20
    assert found.started is not None
    assert found.finished is None, "the engine's year 1 is no time"


def test_nothing_of_the_environment_is_in_the_facts() -> None:
    assert CANARY in json.dumps(recorded("running"))
    assert CANARY not in repr(inspection.read(recorded("running"), "web", str))
    assert inspection.environment(recorded("running"))["DB_PASSWORD"] == CANARY


def test_what_the_engine_and_the_health_check_say_is_masked() -> None:
    document = recorded("running")
    document["State"] |= {
        "Error": f"cannot mount {CANARY}",
        "Health": {"Status": "unhealthy", "Log": [{"ExitCode": 1, "Output": f"{CANARY}\n"}, {"ExitCode": 0, "Output": "fine"}]},
    }
    found = inspection.read(document, "web", masked)
    assert (found.error, found.health, found.health_output) == ("cannot mount ***", "unhealthy", "***")


@pytest.mark.parametrize("document", [{}, {"State": None, "HostConfig": None, "NetworkSettings": None, "Config": None}])
def test_an_answer_with_nothing_in_it_is_no_crash(document: dict[str, Any]) -> None:
    assert inspection.read(document, "web", masked).state == ""
    assert inspection.environment(document) == {}
    assert inspection.command(document) == ()


def test_an_ephemeral_port_and_a_range_are_wishes_too() -> None:
    document = recorded("running")
    document["HostConfig"]["PortBindings"] = {"80/tcp": [{"HostIp": "", "HostPort": ""}], "81/udp": [{"HostIp": "::", "HostPort": "7000-7009"}]}
    found = inspection.read(document, "web", masked)
    assert found.wanted == (Wanted(80, Endpoint(0, "0.0.0.0")), Wanted(81, Endpoint(7000, "::", "udp")))


def test_the_list_alone_says_how_it_ended() -> None:
    """What is known of a container of a remote engine."""
    found = inspection.listed(Container("5f", "shop-app-1", "app", "exited", "Exited (137) 2 minutes ago"))
    assert (found.state, found.exit_code, found.log, found.listening) == ("exited", 137, None, None)
