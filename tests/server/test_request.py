"""What a host server is given, and which wishes for a production port are refused before it
starts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dartsctl.errors import ExitCode, Refused, UsageError
from dartsctl.ports.allocation import PRODUCTION_PORTS, Allocation, PortRange
from dartsctl.server.request import (
    LeaseRecord,
    ServerRequest,
    as_document,
    base_environment,
    bind_address,
    fill,
    host_name,
    port_notes,
    ports_named,
    refuse_production,
    server_environment,
    url_of,
)

REQUEST = ServerRequest(
    ("flask", "run"), "/src", "/src", allocation=Allocation.of(PRODUCTION_PORTS)
)


def test_only_known_names_in_braces_are_filled() -> None:
    command = (
        "{port}",
        "http://{host}:{port}/",
        '{"port": 1}',
        "{other}",
        "awk {print $1}",
        "{}",
        "{{port}}",
        "{fd}",
    )
    assert fill(command, {"port": "5007", "host": "127.0.0.1"}) == (
        "5007",
        "http://127.0.0.1:5007/",
        '{"port": 1}',
        "{other}",
        "awk {print $1}",
        "{}",
        "{5007}",
        "{fd}",
    )


def test_the_leased_port_wins_over_every_other_source() -> None:
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


def test_a_leaked_server_descriptor_is_scrubbed() -> None:  # edge-cases.md#66
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


def test_the_callers_environment_wins_over_env_files_and_a_later_file_over_an_earlier() -> None:
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
def test_a_production_port_is_refused_from_any_source_by_its_name(
    more: ServerRequest, source: str
) -> None:
    with pytest.raises(Refused, match=source) as caught:
        refuse_production(replace(more, allocation=REQUEST.allocation))
    assert caught.value.code == ExitCode.REFUSED
    assert "belongs to production's" in caught.value.message


@pytest.mark.parametrize("value", ["", "http", "5007", "-5000", "²"])
def test_other_values_of_a_port_variable_are_nobodys_business(value: str) -> None:
    refuse_production(replace(REQUEST, environment={"PORT": value, "UNRELATED": "5000"}))


@pytest.mark.parametrize(
    "command",
    [
        "flask run --port 5000",
        "flask run --port=5000",
        "flask run -p 5000",
        "flask run -p5000",
        "gunicorn --bind 0.0.0.0:5000 app:app",
        "gunicorn -b :5000 app:app",
        "gunicorn --bind=[::]:5000 app:app",
        "gunicorn -b localhost:5000 app:app",
        "waitress-serve --listen=*:5000 app:app",
        "serve -l tcp://0.0.0.0:5000",
        "python -m http.server 5000",
        "python -m http.server --bind 127.0.0.1 5000",
        "manage.py runserver 5000",
        "manage.py runserver --noreload 0.0.0.0:5000",
    ],
)
def test_the_usual_ways_to_name_a_port_in_a_command_are_read(command: str) -> None:
    assert 5000 in [port for port, _ in ports_named(command.split())]


@pytest.mark.parametrize(
    "command",
    [
        "flask run --port {port}",
        "sleep 5000",
        "grep -p pattern",
        "app --workers 5000",
        "curl http://localhost:5000",
        "x --bind",
    ],
)
def test_other_numbers_in_a_command_are_no_ports(command: str) -> None:
    assert ports_named(command.split()) == []


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("localhost", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0"),
        ("[::1]", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
    ],
)
def test_a_host_is_an_address(host: str, address: str) -> None:
    assert bind_address(host) == address


def test_a_host_that_is_no_address_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match=r"--host: 'box\.local' is not an IP address"):
        bind_address("box.local")


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:5007"),
        ("0.0.0.0", "http://127.0.0.1:5007"),
        ("::", "http://[::1]:5007"),
        ("::1", "http://[::1]:5007"),
    ],
)
def test_the_url_is_one_that_a_browser_can_open(address: str, url: str) -> None:
    assert url_of(address, 5007) == url


def test_the_url_has_the_name_that_the_settings_give_it() -> None:
    assert url_of("127.0.0.1", 5007, "main.localhost") == "http://main.localhost:5007"


@pytest.mark.parametrize(
    ("template", "branch", "checkout", "name"),
    [
        ("{branch}.localhost", "feature/WSO2_login", "/src/darts", "feature-wso2-login.localhost"),
        (
            "{branch}.localhost",
            "",
            "/src/Darts Server",
            "darts-server.localhost",
        ),  # no branch: the checkout tells two of them apart
        ("{checkout}.localhost", "main", "/src/darts-2", "darts-2.localhost"),
        ("{branch}.{checkout}.localhost", "main", "/src/darts", "main.darts.localhost"),
        ("{branch}.localhost", "ünïcode-", "/src/darts", "n-code.localhost"),
        ("{branch}.localhost", "x" * 80, "/src/darts", "x" * 63 + ".localhost"),
        ("localhost", "main", "/", "localhost"),
        ("{checkout}.localhost", "", "/src/___", "checkout.localhost"),
    ],
)
def test_a_branch_or_a_checkout_becomes_one_label_of_a_host_name(
    template: str, branch: str, checkout: str, name: str
) -> None:  # edge-cases.md#68
    assert host_name(template, branch=branch, checkout=checkout) == name


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
def test_a_shell_without_a_script_is_one_in_which_a_person_works(line: str, is_shell: bool) -> None:
    assert ServerRequest(tuple(line.split()), "/src", "/src").is_shell is is_shell


def test_a_port_asked_for_is_noted_where_it_is_unusual() -> None:  # edge-cases.md#63
    span = PortRange(5001, 5099)
    assert port_notes(5007, span) == []
    assert "no browser will open it" in port_notes(5060, span)[0]
    assert "outside the dev range 5001-5099" in port_notes(6000, span)[0]


def test_a_secret_in_a_command_is_not_shown() -> None:
    record = LeaseRecord(
        5007, command=("app", "--password=hunter2", "--token", "hunter3", "DB_PASSWORD=hunter4")
    )
    assert record.shown_command == ("app", "--password=***", "--token", "***", "DB_PASSWORD=***")
    assert "hunter" not in str(as_document(record))
