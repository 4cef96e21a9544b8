"""The lines of `[server.env]`: what leads to a service of the stack, or to the server's own URL."""

from __future__ import annotations

import pytest

from dartsctl.discovery.app.address_text import StackAddresses
from dartsctl.discovery.app.env_reads import EnvRead, env_reads
from dartsctl.discovery.app.server_env import (
    AppVariables,
    Misleading,
    ServerVariable,
    Source,
    server_variables,
)
from dartsctl.discovery.app.sources import Sources

STACK = StackAddresses(
    targets={
        "rabbitmq": frozenset({5672, 15672}),
        "postgres": frozenset({5432}),
        "redis": frozenset({6379}),
        "idp": frozenset({9443}),
    },
    names={"shop-postgres": "postgres"},
    published={5432: ("postgres", 5432), 9444: ("idp", 9443), 5000: ("web", 5000)},
    own=frozenset({"web"}),
    own_ports=frozenset({5000}),
    left_out=frozenset({"search"}),
    production={5432, 3306},
    same_ports={"postgres": frozenset({5432})},
)


def result(
    container: dict[str, str] | None = None,
    env_files: dict[str, str] | None = None,
    reads: tuple[EnvRead, ...] = (),
) -> tuple[dict[str, ServerVariable], tuple[Misleading, ...]]:
    variables = AppVariables(
        {name: Source(text, "compose.yaml:5") for name, text in (container or {}).items()},
        {name: Source(text, ".env:2", "env file") for name, text in (env_files or {}).items()},
        reads,
    )
    lines, misleading = server_variables(variables, STACK)
    return {line.name: line for line in lines}, misleading


def templates(
    container: dict[str, str] | None = None,
    env_files: dict[str, str] | None = None,
    reads: tuple[EnvRead, ...] = (),
) -> dict[str, str]:
    lines, _ = result(container, env_files, reads)
    return {name: line.template for name, line in lines.items()}


@pytest.mark.parametrize(
    ("name", "written", "template"),
    [
        ("RABBITMQ_HOST", "rabbitmq", "{rabbitmq.host}"),
        ("RABBITMQ_SERVICE", "rabbitmq", "{rabbitmq.host}"),
        ("BROKER", "rabbitmq:5672", "{rabbitmq.host}:{rabbitmq.port:5672}"),
        ("RABBITMQ_HOST", "${RABBITMQ_HOST:-rabbitmq}", "{rabbitmq.host}"),
        (
            "DATABASE_URL",
            "postgresql://${PG_USER:-a}:${PG_PASSWORD}@postgres:5432/db",
            "postgresql://${PG_USER:-a}:${PG_PASSWORD}@{postgres.host}:{postgres.port:5432}/db",
        ),
        (
            "DATABASE_URL",
            "postgresql+psycopg2://app:${POSTGRES_PASSWORD:?set it}@shop-postgres/db",
            "postgresql+psycopg2://app:${POSTGRES_PASSWORD}@{postgres.host}:{postgres.port:5432}/db",
        ),
        (
            "DATABASE_URL",
            "${DATABASE_URL:-postgresql://a:${PW:-b}@postgres/db}",
            "postgresql://a:${PW:-b}@{postgres.host}:{postgres.port:5432}/db",
        ),
        (
            "DATABASE_URL",
            "postgresql://app:x@${DB_HOST:-postgres}:${DB_PORT:-5432}/postgres",
            "postgresql://app:x@{postgres.host}:{postgres.port:5432}/postgres",
        ),
        ("DSN", "host=postgres port=5432 user=postgres", None),
        ("REDIS_URL", "redis://redis/0", "redis://{redis.host}:{redis.port:6379}/0"),
        (
            "NODES",
            "redis:6379,rabbitmq:5672",
            "{redis.host}:{redis.port:6379},{rabbitmq.host}:{rabbitmq.port:5672}",
        ),
        ("IDP_URL", "https://localhost:9444/x", "https://{idp.host}:{idp.port:9443}/x"),
        ("CALLBACK_URL", "http://localhost:5000/callback", "{url}/callback"),
        ("REDIRECT_URI", "${REDIRECT_URI:-http://127.0.0.1:5000}", "{url}"),
        ("REDIRECT_URI", "https://localhost/callback", "{url}/callback"),
        ("SELF_URL", "http://web:5000/api", "{url}/api"),
        ("LOG_FORMAT", "redis://redis/{level}", "redis://{redis.host}:{redis.port:6379}/{{level}}"),
    ],
)
def test_an_address_of_the_container_becomes_a_placeholder(
    name: str, written: str, template: str | None
) -> None:
    if template is None:
        template = "host={postgres.host} port={postgres.port:5432} user=postgres"
    assert templates({name: written}) == {name: template}


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("DB_NAME", "postgres"),
        ("DB_USER", "redis"),
        ("MODE", "redis"),
        ("PATH_TO", "/var/lib/postgres/data"),
        ("IMAGE", "library/postgres:16"),
        ("SITE", "https://shop.example.org/callback"),
        ("FLASK_HOST", "localhost"),
        ("FLASK_PORT", "5000"),
        ("API", "http://api.example.org:5000/"),
        ("STORE_URL", "postgresql://db.example.org:5432/shop"),
        ("TIMES", "10:30"),
    ],
)
def test_what_only_looks_like_an_address_stays(name: str, written: str) -> None:
    assert result({name: written}) == ({}, ())


def test_the_port_beside_a_host_is_the_services_too() -> None:
    assert templates({"DB_HOST": "postgres", "DB_PORT": "5432"}) == {
        "DB_HOST": "{postgres.host}",
        "DB_PORT": "{postgres.port:5432}",
    }


def test_a_port_that_only_the_app_knows_is_set_as_well() -> None:
    reads = (EnvRead("RABBITMQ_PORT", "5672", "app.py:36"),)
    lines, _ = result({"RABBITMQ_HOST": "rabbitmq"}, reads=reads)
    assert lines["RABBITMQ_PORT"].template == "{rabbitmq.port:5672}"
    assert lines["RABBITMQ_PORT"].where == "app.py:36"


def test_an_account_beside_a_host_comes_along_unless_the_server_has_it_anyway() -> None:
    container = {
        "DB_HOST": "postgres",
        "DB_USER": "shop",
        "DB_PASSWORD": "${POSTGRES_PASSWORD:?set it}",
        "DB_NAME": "${DB_NAME:-shop}",
        "DB_SCHEMA": "${DB_SCHEMA}",
        "DB_POOL": "5",
        "OTHER": "x",
    }
    reads = (EnvRead("DB_POOL", "5", "app.py:3"),)
    assert templates(container, {"DB_NAME": "own"}, reads) == {
        "DB_HOST": "{postgres.host}",
        "DB_USER": "shop",
        "DB_PASSWORD": "${POSTGRES_PASSWORD}",
    }


def test_what_the_app_does_not_start_without_comes_along() -> None:
    reads = (
        EnvRead("SECRET_KEY", None, "app.py:3", is_required=True),
        EnvRead("COLOUR", None, "app.py:4"),
    )
    container = {"SECRET_KEY": "${SECRET_KEY:-dev-only}", "COLOUR": "red"}
    assert templates(container, reads=reads) == {"SECRET_KEY": "${SECRET_KEY:-dev-only}"}


def test_what_the_app_has_no_default_for_comes_along_unless_it_is_a_path() -> None:
    text = "import os\n" + "".join(
        f"os.getenv('{name}')\n" for name in ("APP_SETTINGS", "UPLOADS", "LITE_URI", "MODE", "B")
    )
    reads = env_reads(Sources({"app.py": f"{text}os.getenv('LEVEL', 1)"}), ("app.py",))
    container = {
        "APP_SETTINGS": "shop.config.Dev",
        "UPLOADS": "/data/uploads",
        "LITE_URI": "sqlite:////data/shop.db",
        "MODE": "container",
        "LEVEL": "2",
    }
    sources = {name: Source(value, "compose.yaml:5") for name, value in container.items()}
    variables = AppVariables(sources, {}, reads, loaded=frozenset({"MODE"}))  # .flaskenv has it
    lines, _ = server_variables(variables, STACK)
    assert [line.name for line in lines] == ["APP_SETTINGS"]


def test_a_host_whose_port_nobody_names_gets_the_port_too() -> None:
    read = EnvRead("BROKER_HOST", None, "app.py:3")
    lines, misleading = result({"BROKER_HOST": "redis"}, reads=(read,))
    assert lines["BROKER_HOST"].template == "{redis.host}"
    assert lines["BROKER_PORT"].template == "{redis.port:6379}"
    where = ("BROKER_HOST", "compose.yaml:5", "redis", 6379)
    assert misleading == (Misleading(*where, lacks_port="BROKER_PORT"),)
    assert templates({"DB_HOST": "postgres"}) == {"DB_HOST": "{postgres.host}"}  # the same port


@pytest.mark.parametrize(
    "text",
    [
        "f'redis://{os.getenv(\"CACHE_HOST\")}/0'",
        "host = os.getenv('CACHE_HOST')\nf'x://a@{host}/'",
    ],
)
def test_a_host_in_a_url_has_the_port_behind_it(text: str) -> None:
    reads = env_reads(Sources({"app.py": f"import os\n{text}\n"}), ("app.py",))
    lines, misleading = result({"CACHE_HOST": "redis"}, reads=reads)
    assert {name: line.template for name, line in lines.items()} == {
        "CACHE_HOST": "{redis.host}:{redis.port:6379}"
    }
    assert not misleading


@pytest.mark.parametrize(
    ("default", "template"),
    [
        (
            "postgresql://postgres:postgres@localhost:5432/dartsdb",
            "postgresql://postgres:postgres@{postgres.host}:{postgres.port:5432}/dartsdb",
        ),
        ("postgresql://localhost/db", "postgresql://{postgres.host}:{postgres.port:5432}/db"),
        ("redis://127.0.0.1:6379/0", "redis://{redis.host}:{redis.port:6379}/0"),
    ],
)
def test_a_default_of_the_app_that_may_be_productions_is_covered(
    default: str, template: str
) -> None:
    lines, misleading = result(reads=(EnvRead("DATABASE_URL", default, "app.py:12"),))
    assert lines["DATABASE_URL"] == ServerVariable("DATABASE_URL", template, "app.py:12")
    assert misleading == ()


def test_host_and_port_defaults_of_the_app_are_covered_together() -> None:
    reads = (EnvRead("DB_HOST", "localhost", "a.py:1"), EnvRead("DB_PORT", "5432", "a.py:2"))
    assert templates(reads=reads) == {
        "DB_HOST": "{postgres.host}",
        "DB_PORT": "{postgres.port:5432}",
    }


def test_an_address_in_an_env_file_is_covered_and_its_password_stays_there() -> None:
    env_files = {
        "DATABASE_URL": "postgresql://app:s3cret@localhost:5432/db",
        "REDIS_URL": "redis://localhost:6379/1",
        "RABBITMQ_HOST": "localhost",
        "RABBITMQ_PORT": "5672",
    }
    assert templates(env_files=env_files) == {
        "DATABASE_URL": "{env.DATABASE_URL@postgres:5432}",
        "REDIS_URL": "redis://{redis.host}:{redis.port:6379}/1",
        "RABBITMQ_HOST": "{rabbitmq.host}",
        "RABBITMQ_PORT": "{rabbitmq.port:5672}",
    }


def test_no_secret_of_an_env_file_is_copied() -> None:
    env_files = {"PW": "s3cret", "NAME": "s3cret", "POSTGRES_PASSWORD": "s3cret"}
    container = {
        "DATABASE_URL": "postgresql://${NAME:-a}:${PW:-b}@postgres/db",
        "POSTGRES_HOST": "postgres",
        "POSTGRES_PW": "${PW}",
    }
    lines = templates(container, env_files)
    assert lines["DATABASE_URL"] == (
        "postgresql://${NAME}:${PW}@{postgres.host}:{postgres.port:5432}/db"
    )
    assert lines["POSTGRES_PW"] == "${PW}"
    assert "s3cret" not in str(lines)


def test_a_container_that_passes_on_an_env_files_url_does_so_too() -> None:
    env_files = {"DB": "postgresql://app:s3cret@postgres:5432/db"}
    for written in ("${DB}", "${DB:-postgresql://a:b@postgres/db}"):
        assert templates({"DATABASE_URL": written}, env_files)["DATABASE_URL"] == (
            "{env.DB@postgres:5432}"
        )


def test_what_no_line_can_change_is_said() -> None:
    reads = (EnvRead("MYSQL_URL", "mysql://root@localhost/shop", "app.py:4"),)
    lines, misleading = result({"SEARCH_URL": "http://search:9200"}, reads=reads)
    assert lines == {}
    assert misleading == (
        Misleading("MYSQL_URL", "app.py:4", "", 3306),
        Misleading("SEARCH_URL", "compose.yaml:5", "search", 9200),
    )


def test_only_urls_that_a_provider_must_know_are_callbacks() -> None:
    lines, _ = result(
        {"REDIRECT_URI": "http://localhost:5000/cb", "SELF": "http://localhost:5000/"}
    )
    assert (lines["REDIRECT_URI"].is_callback, lines["SELF"].is_callback) == (True, False)


def test_no_text_of_a_variable_is_in_a_repr() -> None:
    assert "s3cret" not in repr(Source("s3cret", ".env:1"))
    assert "s3cret" not in repr(ServerVariable("A", "s3cret", "b"))


def test_the_variables_that_an_app_reads() -> None:
    text = """
import os
from os import environ, getenv
A = os.environ["A"]
B = os.environ.get("B", "b")
C = getenv("C") or "c"
D = int(environ.get("D", 5))
E = os.getenv("E", compute())
F = config("F", default="f")
G = env.str("G", "g")
H = os.environ.get(name)
class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="shop_")
    database_url: str = "postgresql://localhost/db"
    token: str
class Old(BaseSettings):
    colour: str = "red"
    class Config:
        env_prefix = "old_"
"""
    reads = env_reads(Sources({"app.py": text}), ("app.py",))
    assert {read.name: read.default for read in reads} == {
        "A": None,
        "B": "b",
        "C": "c",
        "D": "5",
        "E": None,
        "F": "f",
        "G": "g",
        "SHOP_DATABASE_URL": "postgresql://localhost/db",
        "SHOP_TOKEN": None,
        "OLD_COLOUR": "red",
    }
    assert {read.name for read in reads if read.is_required} == {"A", "SHOP_TOKEN"}
