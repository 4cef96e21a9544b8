"""Production ports that a request names: refused where asked for, replaced where in an env file."""

from __future__ import annotations

import pytest

from dartsctl.errors import Advice, ExitCode, Refused
from dartsctl.ports.allocation import PRODUCTION_PORTS, Allocation
from dartsctl.records import replace
from dartsctl.server.production_port import (
    override_details,
    refuse_production,
    replaced_note,
    replaced_ports,
)
from dartsctl.server.request import FilePort, ServerRequest

REQUEST = ServerRequest(
    ("flask", "run"), "/src", "/src", allocation=Allocation.of(PRODUCTION_PORTS)
)
IN_FILE = FilePort("FLASK_PORT", 5000, ".env:3")


@pytest.mark.parametrize(
    ("more", "source", "hint"),
    [
        (replace(REQUEST, port=5000), "--port", "dartsctl run -- flask run"),
        (replace(REQUEST, port=5000, kind="dev"), "--port", "dartsctl dev"),
        (
            replace(REQUEST, environment={"FLASK_RUN_PORT": "5000"}),
            "FLASK_RUN_PORT in the environment",
            "unset FLASK_RUN_PORT",
        ),
        (
            replace(REQUEST, extra={"FLASK_PORT": "443"}),
            "FLASK_PORT in [server.env]",
            Advice("remove FLASK_PORT from [server.env]; dartsctl sets it to the leased port"),
        ),
        (
            replace(REQUEST, command=("flask", "run", "-p", "5000")),
            "`-p 5000` in the command",
            "dartsctl run -- flask run -p '{port}'",
        ),
        (
            replace(REQUEST, command=("env", "PORT=5000", "node", "app.js")),
            "`PORT=5000` in the command",
            "dartsctl run -- env 'PORT={port}' node app.js",
        ),
        (
            replace(REQUEST, command=("gunicorn", "-b", ":8080"), kind="dev"),
            "`-b :8080` in the command",
            Advice("write {port} in place of 8080 into [server] command"),
        ),
    ],
)
def test_an_explicit_production_port_is_refused_with_the_next_step(
    more: ServerRequest, source: str, hint: str
) -> None:
    with pytest.raises(Refused) as caught:
        refuse_production(more)
    assert caught.value.code == ExitCode.REFUSED
    assert f"({source}) belongs to production's" in caught.value.message
    assert (caught.value.hint, type(caught.value.hint)) == (hint, type(hint))


@pytest.mark.parametrize("port", [80, 443, 5000, 8080, 5672, 15672, 9443, 5432])
def test_every_documented_port_is_refused_by_its_owners_name(port: int) -> None:
    owners = REQUEST.allocation.owners
    with pytest.raises(Refused, match=f"belongs to production's {owners[port]};"):
        refuse_production(replace(REQUEST, port=port))


def test_a_port_of_the_default_list_is_refused_with_the_lines_that_replace_the_list() -> None:
    with pytest.raises(Refused) as caught:
        refuse_production(replace(REQUEST, port=8080, allocation=Allocation.default()))
    assert caught.value.message == (
        "port 8080 (--port) is reserved for production by dartsctl's default list;"
        " a host server must not take it"
    )
    assert "  [ports.production]" in caught.value.details


@pytest.mark.parametrize("value", ["", "http", "5007", "-5000", "²"])
def test_other_values_of_a_port_variable_are_allowed(value: str) -> None:
    refuse_production(replace(REQUEST, environment={"PORT": value, "UNRELATED": "5000"}))


@pytest.mark.parametrize("port", [81, 5001, 5099, 8081])
def test_any_other_port_is_allowed(port: int) -> None:
    refuse_production(replace(REQUEST, port=port))


def test_a_port_that_only_stands_in_an_env_file_is_replaced() -> None:
    request = replace(REQUEST, file_ports=(IN_FILE, FilePort("PORT", 5050, ".env:4")))
    refuse_production(request)
    assert replaced_ports(request) == (IN_FILE,)
    assert replaced_note((IN_FILE,), "5007") == (
        "FLASK_PORT=5000 in .env:3 is a production port: using 5007 instead"
    )
    assert replaced_note((IN_FILE, FilePort("PORT", 8080, ".flaskenv:1")), "5007") == (
        "FLASK_PORT=5000 in .env:3 and PORT=8080 in .flaskenv:1 are production ports: "
        "using 5007 instead"
    )


def test_an_exported_variable_hides_the_files_and_a_container_has_ports_of_its_own() -> None:
    request = replace(REQUEST, file_ports=(IN_FILE,))
    assert replaced_ports(replace(request, environment={"FLASK_PORT": "5050"})) == ()
    assert replaced_ports(replace(request, in_container=True)) == ()
    refuse_production(replace(request, environment={"PORT": "5000"}, in_container=True))


def test_a_server_that_takes_the_files_port_all_the_same_is_explained() -> None:
    request = replace(REQUEST, file_ports=(IN_FILE,))
    (detail,) = override_details(request, 5000)
    assert detail.startswith(".env:3 has FLASK_PORT=5000: an app that loads this file over its")
    assert override_details(request, 8080) == ()
