"""Where variables say that services are."""

from __future__ import annotations

import pytest

from dartsctl.server.service_targets import ServiceTarget, service_targets


@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        ({"RABBITMQ_HOST": "localhost", "RABBITMQ_PORT": "5672"}, "RABBITMQ_HOST=localhost:5672"),
        ({"PGHOST": " ::1 ", "PGPORT": " 5432 "}, "PGHOST=[::1]:5432"),
        ({"REDIS_HOST": "10.0.0.1:6379"}, "REDIS_HOST=10.0.0.1:6379"),
        (
            {"DATABASE_URL": "postgresql+psycopg2://u:geheim@localhost/darts"},
            "DATABASE_URL=postgresql://localhost:5432",
        ),
        ({"WSO2_IS_URL": "https://localhost:9443/x?y"}, "WSO2_IS_URL=https://localhost:9443"),
        ({"BROKER": "amqp://[::1]"}, "BROKER=amqp://[::1]:5672"),
        ({"BROKER": "localhost:5672"}, "BROKER=localhost:5672"),
        ({"BROKER": "[::1]:5672"}, "BROKER=[::1]:5672"),
        ({"db_host": "localhost", "db_port": "5432"}, "db_host=localhost:5432"),
        ({"DB_HOSTNAME": "10.0.0.1", "DB_PORT": "5432"}, "DB_HOSTNAME=10.0.0.1:5432"),
        ({"POSTGRES_SERVER": "db", "POSTGRES_PORT": "5432"}, "POSTGRES_SERVER=db:5432"),
        ({"DSN": "user=u password=geheim host=localhost dbname=d"}, "DSN=localhost:5432"),
        ({"DSN": "host=localhost port=15432"}, "DSN=localhost:15432"),
        (
            {"URL": "jdbc:postgresql://localhost/d?password=geheim"},
            "URL=postgresql://localhost:5432",
        ),
    ],
)
def test_an_address_is_read_and_its_secrets_are_not_shown(
    variables: dict[str, str], shown: str
) -> None:
    assert [target.shown for target in service_targets(variables)] == [shown]


@pytest.mark.parametrize(
    "value", ["mongodb://u:geheim@a:5001,b:5002/db?x=y", "a:5001,b:5002", "a:5001, b:5002"]
)
def test_each_address_of_several_counts(value: str) -> None:
    targets = service_targets({"NODES": value})
    assert [(target.host, target.port) for target in targets] == [("a", 5001), ("b", 5002)]


@pytest.mark.parametrize(
    "variables",
    [
        {"RABBITMQ_HOST": "localhost"},
        {"RABBITMQ_PORT": "5672"},
        {"RABBITMQ_HOST": "localhost", "RABBITMQ_PORT": "many"},
        {"FLASK_HOST": "0.0.0.0", "FLASK_PORT": "5000"},
        {"FLASK_RUN_HOST": "0.0.0.0", "FLASK_RUN_PORT": "5000"},
        {"http_proxy": "http://localhost:8080", "DOCKER_HOST": "tcp://localhost:2375"},
        {"URL": "http://localhost:99999/", "OTHER": "ftp://localhost/", "X": "http://[::1"},
        {"HOST": ""},
        {"HOST": "0.0.0.0", "PORT": "5000", "GUNICORN_BIND": "0.0.0.0:5000"},
        {"SERVER": "gunicorn", "PORT": "5000", "METRICS_ADDR": ":9100"},
        {"SERVER_NAME": "localhost:5000", "DB_IMAGE": "registry:5000", "AT": "12:30"},
        {"LOG": "a: b", "TAG": "postgres:16", "SCALE": "1:5000", "X": "a:70000,b"},
    ],
)
def test_what_is_half_said_or_about_no_service_is_left_out(variables: dict[str, str]) -> None:
    assert service_targets(variables) == ()


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("localhost", True),
        ("app.localhost", True),
        ("127.0.0.9", True),
        ("::1", True),
        ("0.0.0.0", True),
        ("MyBox", True),
        ("192.168.1.7", True),
        ("192.168.1.8", False),
        ("rabbitmq", False),
        ("localhost.example.org", False),
    ],
)
def test_an_address_of_this_host_is_recognized(host: str, is_here: bool) -> None:
    target = ServiceTarget("X_HOST", host, 1)
    assert target.is_on_this_host({"mybox", "192.168.1.7"}) is is_here
