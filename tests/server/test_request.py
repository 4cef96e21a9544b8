"""The environment of a host server, shells, and notes about a port."""

from __future__ import annotations

import pytest

from dartsctl.ports.allocation import PRODUCTION_PORTS, Allocation, PortRange
from dartsctl.records import replace
from dartsctl.server.request import (
    ServerRequest,
    base_environment,
    port_notes,
    server_environment,
)

REQUEST = ServerRequest(
    ("flask", "run"), "/src", "/src", allocation=Allocation.of(PRODUCTION_PORTS)
)


def test_the_leased_port_takes_precedence_over_every_other_source() -> None:
    environment = server_environment(
        {"PORT": "1", "HOME": "/root"},
        port=5007,
        host="127.0.0.1",
        extra={"FLASK_RUN_PORT": "2", "X": "y"},
    )
    assert environment == {
        "HOME": "/root",
        "X": "y",
        "PORT": "5007",
        "FLASK_PORT": "5007",
        "FLASK_RUN_PORT": "5007",
        "FLASK_RUN_HOST": "127.0.0.1",
        "FLASK_HOST": "127.0.0.1",
    }


def test_an_inherited_server_descriptor_is_removed() -> None:  # edge-cases.md#66
    base = {
        "WERKZEUG_SERVER_FD": "3",
        "WERKZEUG_RUN_MAIN": "true",
        "LISTEN_FDS": "1",
        "LISTEN_PID": "7",
    }
    assert server_environment(base, port=1, host="h", port_variables=()) == {
        "FLASK_RUN_HOST": "h",
        "FLASK_HOST": "h",
    }


def test_the_callers_environment_overrides_env_files() -> None:
    request = replace(REQUEST, environment={"A": "caller"}, env_files={"A": "1", "B": "1"})
    assert base_environment(request) == {"A": "caller", "B": "1"}


@pytest.mark.parametrize(
    ("line", "is_shell"),
    [
        ("bash", True),
        ("/bin/zsh -l", True),
        ("sh -i", True),
        ("bash -c 'flask run'", False),
        ("flask run", False),
    ],
)
def test_a_shell_without_a_script_is_interactive(line: str, is_shell: bool) -> None:
    assert ServerRequest(tuple(line.split()), "/src", "/src").is_shell is is_shell


def test_an_unusual_port_is_noted() -> None:  # edge-cases.md#63
    span = PortRange(5001, 5099)
    assert port_notes(5007, span) == []
    assert "no browser will open it" in port_notes(5060, span)[0]
    assert "outside the dev range 5001-5099" in port_notes(6000, span)[0]
