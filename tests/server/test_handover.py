"""Which servers take over a listening socket, and which bind their port themselves."""

from __future__ import annotations

import pytest

from dartsctl.server.handover import Handover, plan_handover, takes_a_socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.server.handover import HandoverMode

HOST, PORT = "127.0.0.1", 5021


def planned(line: str, *, mode: HandoverMode = "auto", host: str = HOST) -> Handover | None:
    return plan_handover(tuple(line.split()), mode=mode, host=host, port=PORT)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("gunicorn app:app", "gunicorn --bind fd://{fd} app:app"),
        (".venv/bin/gunicorn -w 2 app:app", ".venv/bin/gunicorn --bind fd://{fd} -w 2 app:app"),
        ("python -m gunicorn app:app", "python -m gunicorn --bind fd://{fd} app:app"),
        (
            "{python} -X dev -m gunicorn app:app",
            "{python} -X dev -m gunicorn --bind fd://{fd} app:app",
        ),
        ("uv run gunicorn app:app", "uv run gunicorn --bind fd://{fd} app:app"),
        ("env A=1 B=2 uvicorn app:app", "env A=1 B=2 uvicorn --fd {fd} app:app"),
        (
            "python3.11 /venv/bin/hypercorn app:app",
            "python3.11 /venv/bin/hypercorn --bind fd://{fd} app:app",
        ),
        # the address of the socket, in all its spellings
        ("gunicorn -b 127.0.0.1:5021 app:app", "gunicorn --bind fd://{fd} app:app"),
        ("gunicorn -blocalhost:5021 app:app", "gunicorn --bind fd://{fd} app:app"),
        ("gunicorn app:app --bind=127.0.0.1:5021", "gunicorn --bind fd://{fd} app:app"),
        (
            "uvicorn app:app --host localhost --port 5021 --reload",
            "uvicorn --fd {fd} app:app --reload",
        ),
    ],
)
def test_a_server_that_takes_a_socket_gets_its_descriptor_as_an_argument(
    line: str, command: str
) -> None:
    assert takes_a_socket(tuple(line.split()), "auto")
    assert planned(line) == Handover(tuple(command.split()))


def test_flask_run_gets_the_variables_of_werkzeug_and_is_restarted_on_reload() -> None:
    handover = planned("flask --app app run --debug")
    assert handover is not None
    assert handover.command == ("flask", "--app", "app", "run", "--debug")
    assert handover.variables == {"WERKZEUG_SERVER_FD": "{fd}", "WERKZEUG_RUN_MAIN": "true"}
    assert handover.restart_on == 3


@pytest.mark.parametrize(
    "line",
    [
        "gunicorn -b 0.0.0.0:5021 app:app",
        "gunicorn -b unix:/run/app.sock app:app",
        "gunicorn -b 127.0.0.1:5022 app:app",
        "gunicorn -b 127.0.0.1:5021 -b 0.0.0.0:5021 app:app",
        "uvicorn app:app --host 0.0.0.0",
        "uvicorn app:app --uds /run/app.sock",
        "flask run -h 0.0.0.0",
        "flask run --cert adhoc",
        "hypercorn --quic-bind 127.0.0.1:5021 app:app",
    ],
)
def test_a_command_that_names_another_address_binds_it_itself(line: str) -> None:
    assert planned(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "python run.py",
        "python -c pass",
        "python",
        "python -m",
        "flask routes",
        "node server.js",
        "waitress-serve app:app",
        "bash",
        "uv sync",
        "uv",
        "env A=1",
    ],
)
def test_an_unknown_command_gets_no_socket(line: str) -> None:
    assert not takes_a_socket(tuple(line.split()), "auto")
    assert planned(line) is None


def test_the_placeholder_asks_for_a_socket_for_any_server() -> None:
    assert takes_a_socket(("./serve", "--socket", "{fd}"), "none")
    assert planned("./serve --socket {fd}", mode="none") == Handover(
        ("./serve", "--socket", "{fd}")
    )


def test_the_settings_can_say_that_a_script_runs_werkzeug() -> None:
    handover = planned("python run.py", mode="werkzeug")
    assert handover is not None
    assert handover.restart_on == 3
    assert planned("gunicorn app:app", mode="none") is None


def test_an_ipv6_address_has_brackets() -> None:
    assert planned("gunicorn -b [::1]:5021 app:app", host="::1") == Handover(
        ("gunicorn", "--bind", "fd://{fd}", "app:app")
    )
