"""Nothing that may be a secret is shown: every secret in here holds the word canary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dartsctl.masking import MASK, command, hidden_values, model, url, values


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["serve", "--password", "canary"], ["serve", "--password", "***"]),
        (["serve", "--db-password=canary", "--port", "8080"], ["serve", "--db-password=***", "--port", "8080"]),
        (["serve", "--api-key", "canary word"], ["serve", "--api-key", "***"]),
        (["serve", "-token", "canary"], ["serve", "-token", "***"]),
        (["serve", "--Auth-Token=canary"], ["serve", "--Auth-Token=***"]),
        (["serve", "--password", "--verbose"], ["serve", "--password", "--verbose"]),
        (["env", "SECRET_KEY=canary", "flask", "run"], ["env", "SECRET_KEY=***", "flask", "run"]),
        (["env", "PGPASSWORD=canary two"], ["env", "PGPASSWORD=***"]),
        (["docker", "run", "-ePOSTGRES_PASSWORD=canary"], ["docker", "run", "-ePOSTGRES_PASSWORD=***"]),
        (["docker", "run", "-e", "POSTGRES_PASSWORD=canary"], ["docker", "run", "-e", "POSTGRES_PASSWORD=***"]),
        (["docker", "run", "--env=POSTGRES_PASSWORD=canary"], ["docker", "run", "--env=POSTGRES_PASSWORD=***"]),
        (["sh", "-c", "export TOKEN=canary; exec serve -p 80"], ["sh", "-c", "export TOKEN=***; exec serve -p 80"]),
        (["sh", "-c", "serve --password 'canary one' --port 80"], ["sh", "-c", "serve --password *** --port 80"]),
        (["sh", "-c", 'serve --password="canary one" --port 80'], ["sh", "-c", "serve --password=*** --port 80"]),
        (["worker", "amqp://guest:canary@rabbitmq:5672/"], ["worker", "amqp://***@rabbitmq:5672/"]),
        (["worker", "--broker=amqp://guest:canary@rabbitmq:5672/"], ["worker", "--broker=amqp://***@rabbitmq:5672/"]),
        (["python", "run.py", "--port", "5007"], ["python", "run.py", "--port", "5007"]),
        (["curl", "http://h/?token=canary"], ["curl", "http://h/?token=***"]),
    ],
)
def test_a_command_line_keeps_its_words_and_loses_its_secrets(words: list[str], shown: list[str]) -> None:
    assert command(words) == tuple(shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://user:canary@db:5432/x", "postgres://***@db:5432/x"),
        ("postgres://user:can@ary@db/x", "postgres://***@db/x"),
        ("redis://:canary@cache", "redis://***@cache"),
        ("https://canary@example.org and amqp://a:canary@b", "https://***@example.org and amqp://***@b"),
        ("http://localhost:5000/path", "http://localhost:5000/path"),
        ("http://localhost/@vite/client", "http://localhost/@vite/client"),
        ("mail me@example.org", "mail me@example.org"),
    ],
)
def test_a_url_loses_its_user_part(text: str, shown: str) -> None:
    assert url(text) == shown


def test_known_values_are_masked_wherever_they_stand_the_longest_first() -> None:
    assert values("a canary1234 b canary c", ["canary", "canary1234"]) == f"a {MASK} b {MASK} c"
    assert values("port is 5432", ["5432", "port"]) == "port is 5432"  # shorter than 6: would blank out ordinary words
    assert values("amqp://a:canary@b", []) == "amqp://***@b"


def shown_model() -> dict[str, Any]:
    recorded = json.loads((Path(__file__).parent / "data" / "compose" / "secrets.json").read_text())
    shown: dict[str, Any] = model(recorded["model"])
    return shown


def test_no_canary_of_a_resolved_model_is_shown() -> None:
    recorded = (Path(__file__).parent / "data" / "compose" / "secrets.json").read_text()
    assert recorded.count("canary") == 15
    assert "canary" not in json.dumps(shown_model())


def test_a_masked_model_still_says_what_is_there() -> None:
    shown = shown_model()
    app = shown["services"]["app"]
    assert app["environment"] == {"DATABASE_URL": "***", "EMPTY": None, "LOG_LEVEL": "***", "POSTGRES_PASSWORD": "***"}
    assert app["labels"] == {"traefik.auth": "***"}
    assert app["build"]["args"] == {"NPM_TOKEN": "***"}
    assert app["command"] == ["serve", "--api-key", "***", "--dsn=***", "--broker", "amqp://***@rabbitmq:5672/", "--port", "8080"]
    assert app["entrypoint"] == ["sh", "-c", "export DB_PASSWORD=***; exec serve --port 8081"]
    assert app["secrets"][0] == {"source": "from_environment", "target": "/run/secrets/from_environment"}
    assert app["image"] == "busybox"
    assert shown["secrets"]["from_environment"] == {"name": "demo_from_environment", "environment": "CANARY_SECRET"}
    assert shown["configs"]["inline"] == {"name": "demo_inline", "content": "***"}
    assert shown["name"] == "demo"


@pytest.mark.parametrize(
    ("document", "secrets", "shown"),
    [
        ({"services": {"a": {"environment": {"TOKEN": "canary"}, "command": ["serve", "canary"]}}}, (), ["serve", "***"]),
        ({"services": {"a": {"environment": {"NAME": "postgres"}, "command": ["postgres"]}}}, (), ["postgres"]),
        ({"services": {"a": {"environment": {"SIZE": "8388608"}, "command": ["serve", "8388608"]}}}, (), ["serve", "8388608"]),
        ({"services": {"a": {"command": ["serve", "canary"]}}}, ("canary",), ["serve", "***"]),
        ({"services": {"a": {"command": ["serve", "short"]}}}, ("short",), ["serve", "short"]),
    ],
    ids=["a secret's name", "an ordinary word", "a number", "a known secret", "too short"],
)
def test_a_value_is_masked_elsewhere_when_its_name_or_shape_says_secret(document: dict[str, Any], secrets: tuple[str, ...], shown: list[str]) -> None:
    assert model(document, secrets)["services"]["a"]["command"] == shown


def test_the_values_of_a_container_s_variables_are_hidden_by_name_and_by_looks() -> None:
    environ = {
        "DB_PASSWORD": "pw",
        "GREETING": "Zx9-long-and-odd-0123456789",
        "PATH": "/usr/local/sbin:/usr/bin",
        "WSO2_IS_URL": "https://wso2is:9443",
        "DATABASE_URL": "postgresql://darts:hunter2@postgres:5432/darts",
        "RABBITMQ_HOST": "rabbitmq",
        "NGINX_VERSION": "1.28.0",
        "EMPTY_SECRET": "",
    }
    hidden = hidden_values(environ)
    assert hidden == ("pw", "Zx9-long-and-odd-0123456789", "postgresql://darts:hunter2@postgres:5432/darts")
