"""The environment of a host server, and the production ports that are refused before a start."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dartsctl.errors import ExitCode, Refused
from dartsctl.ports.allocation import PRODUCTION_PORTS, Allocation, PortRange
from dartsctl.server.request import (
    ServerRequest,
    base_environment,
    port_notes,
    refuse_production,
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


def test_the_callers_environment_overrides_env_files_and_later_files_earlier_ones() -> None:
    request = replace(
        REQUEST,
        environment={"A": "caller"},
        env_files={".env": {"A": "1", "B": "1", "C": "1"}, ".env.local": {"B": "2"}},
    )
    assert base_environment(request) == {"A": "caller", "B": "2", "C": "1"}


@pytest.mark.parametrize(
    ("more", "source"),
    [
        (ServerRequest((), "", "", port=5000), "--port"),
        (
            ServerRequest((), "", "", environment={"FLASK_RUN_PORT": "5000"}),
            "FLASK_RUN_PORT in the environment",
        ),
        (ServerRequest((), "", "", env_files={".env": {"PORT": "8080"}}), "PORT in .env"),
        (ServerRequest((), "", "", extra={"FLASK_PORT": "443"}), r"FLASK_PORT in \[server.env\]"),
        (ServerRequest(("flask", "run", "-p", "5000"), "", ""), "`-p 5000` in the command"),
    ],
)
def test_a_production_port_is_refused_and_its_source_named(
    more: ServerRequest, source: str
) -> None:
    with pytest.raises(Refused, match=source) as caught:
        refuse_production(replace(more, allocation=REQUEST.allocation))
    assert caught.value.code == ExitCode.REFUSED
    assert "belongs to production's" in caught.value.message


@pytest.mark.parametrize("value", ["", "http", "5007", "-5000", "²"])
def test_other_values_of_a_port_variable_are_allowed(value: str) -> None:
    refuse_production(replace(REQUEST, environment={"PORT": value, "UNRELATED": "5000"}))


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
