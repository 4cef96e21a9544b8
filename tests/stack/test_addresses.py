"""The placeholders of `[server.env]`: which are filled, which stay, and which are errors."""

from __future__ import annotations

import pytest

from dartsctl.errors import UsageError
from dartsctl.stack.addresses import ServiceAddress, fill_templates

WHERE = {
    "rabbitmq": (
        ServiceAddress("127.0.0.1", 15673, 5672),
        ServiceAddress("127.0.0.1", 25673, 15672),
    )
}


def filled(text: str, **environ: str) -> str | None:
    """Return the value of one variable; None if it is left out."""
    return fill_templates({"NAME": text}, WHERE, ["rabbitmq", "postgres"], environ)[0].get("NAME")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{rabbitmq.host}", "127.0.0.1"),
        ("{rabbitmq.port}", "15673"),
        ("amqp://{rabbitmq.host}:{rabbitmq.port:15672}/", "amqp://127.0.0.1:25673/"),
        (
            "{url}/callback",
            "{url}/callback",
        ),  # server.command_line fills it once the port is leased
        ("{host}:{port}", "{host}:{port}"),
        ('{"a": 1, "b": {}}', '{"a": 1, "b": {}}'),
        ("%(message)s {{message}}", "%(message)s {message}"),
        ("${PASSWORD}", "${PASSWORD}"),  # a variable of Compose, filled in later
        ("{env.HOME}", "/home/ann"),
        ("{env.BROKER@rabbitmq:5672}", "amqp://u:p%40w@127.0.0.1:15673/vhost?x=1"),
        ("{env.ADDRESS@rabbitmq:5672}", "127.0.0.1:15673"),
        ("{env.HOME@rabbitmq}", "127.0.0.1"),
    ],
)
def test_placeholders_are_filled_and_other_braces_stay(text: str, value: str) -> None:
    broker = "amqp://u:p%40w@localhost/vhost?x=1"
    assert filled(text, HOME="/home/ann", BROKER=broker, ADDRESS="localhost:5672") == value


def test_a_variable_is_left_out_while_its_service_does_not_run() -> None:
    assert fill_templates(
        {"A": "{postgres.host}", "C": "{env.URL@postgres:5432}", "B": "b"},
        WHERE,
        ["rabbitmq", "postgres"],
        {"URL": "postgresql://localhost/db"},
    ) == (
        {"B": "b"},
        ("A", "C"),
    )


def test_without_services_every_service_counts_as_not_running() -> None:
    assert fill_templates({"A": "{anything.host}", "B": "{url}/"}, {}, None, {}) == (
        {"B": "{url}/"},
        ("A",),
    )


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("{rabbit.host}", "the dev stack has no service 'rabbit'", "did you mean rabbitmq?"),
        ("{prot}", "unknown placeholder: {prot}", "did you mean {port}?"),
        (
            "{message}",
            "unknown placeholder: {message}",
            "write {{message}} for the text itself",
        ),
        ("{env.MISSING}", "the variable MISSING is not set", "export MISSING=..."),
    ],
)
def test_an_unknown_name_is_an_error_with_a_suggestion(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as error:
        filled(text)
    assert error.value.message == f"[server.env] NAME: {message}"
    assert error.value.hint.startswith(hint)
