"""The command line of a host server: its placeholders, and the ports that it names."""

from __future__ import annotations

import pytest

from dartsctl.server.command_line import fill_placeholders, ports_named


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
    assert fill_placeholders(command, {"port": "5007", "host": "127.0.0.1"}) == (
        "5007",
        "http://127.0.0.1:5007/",
        '{"port": 1}',
        "{other}",
        "awk {print $1}",
        "{}",
        "{5007}",
        "{fd}",
    )


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
def test_the_usual_ways_to_name_a_port_are_recognized(command: str) -> None:
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
def test_other_numbers_are_not_ports(command: str) -> None:
    assert ports_named(command.split()) == []
