"""The command line of a host server: its placeholders, and the ports that it names."""

from __future__ import annotations

import pytest

from dartsctl.server.command_line import (
    fill_placeholders,
    ports_named,
    with_port_placeholder,
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
        "env FLASK_PORT=5000 python app.py",
    ],
)
def test_the_usual_ways_to_name_a_port_are_recognized_and_can_be_replaced(command: str) -> None:
    words = command.split()
    (index,) = [index for port, _, index in ports_named(words, ("FLASK_PORT",)) if port == 5000]
    assert with_port_placeholder(words, 5000, index) == tuple(
        command.replace("5000", "{port}").split()
    )


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
