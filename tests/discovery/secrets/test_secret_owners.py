"""Who may choose a secret: decided by what the services do with it, then by its name."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dartsctl.discovery.secrets.secret_owners import (
    Place,
    SecretsQuestion,
    SecretVariable,
    is_own_key,
    issuer,
    secret_variables,
    urls_with,
    with_password,
)
from dartsctl.discovery.written_model import WrittenService


def service(name: str, image: str = "", command: str = "", **environment: str) -> WrittenService:
    return WrittenService(
        name=name,
        image=image,
        is_built=not image,
        environment=environment,
        command=command,
        hosts=frozenset({name}),
    )


def question(
    *services: WrittenService,
    defaults: Mapping[str, str] | None = None,
    values: Mapping[str, str] | None = None,
    extra: Mapping[str, Mapping[str, str]] | None = None,
) -> SecretsQuestion:
    return SecretsQuestion(
        services={own.name: own for own in services},
        images={own.name: own.image for own in services},
        values=values or {},
        defaults=defaults or {},
        extra=extra or {},
    )


def owner_of(name: str, asked: SecretsQuestion) -> SecretVariable:
    return secret_variables([name], asked)[name]


DATABASES = [
    ("postgres:16-alpine", "POSTGRES_PASSWORD"),
    ("registry.example.org:5000/team/postgis/postgis:16-3.4", "POSTGRES_PASSWORD"),
    ("bitnami/postgresql:16", "POSTGRESQL_PASSWORD"),
    ("mysql:8", "MYSQL_ROOT_PASSWORD"),
    ("mariadb:11", "MARIADB_PASSWORD"),
    ("mongo:7", "MONGO_INITDB_ROOT_PASSWORD"),
    ("rabbitmq:3.13-management", "RABBITMQ_DEFAULT_PASS"),
    ("quay.io/minio/minio@sha256:abc", "MINIO_ROOT_PASSWORD"),
]


@pytest.mark.parametrize(("image", "name"), DATABASES)
def test_what_an_image_of_the_stack_starts_with_is_the_stacks_whatever_the_variable_is_called(
    image: str, name: str
) -> None:
    server = service("db", image, **{name: "${PW_OF_IT:-x}"})
    app = service("web", URL="scheme://u:${PW_OF_IT:-x}@db:1/x")
    secret = owner_of("PW_OF_IT", question(server, app, defaults={"PW_OF_IT": "x"}))
    assert (secret.owner, secret.server, secret.users) == ("stack", "db", ("web",))
    assert secret.keeps_data
    assert not secret.literals


@pytest.mark.parametrize(
    "image", ["prometheuscommunity/postgres-exporter", "prodrigestivill/postgres-backup-local", "x"]
)
def test_who_only_connects_with_a_password_does_not_own_it(image: str) -> None:
    client = service("tool", image, POSTGRES_PASSWORD="${POSTGRES_PASSWORD}")
    assert owner_of("POSTGRES_PASSWORD", question(client)).owner == "person"


@pytest.mark.parametrize(
    ("image", "command"),
    [
        ("redis:7", "redis-server --requirepass ${REDIS_PASSWORD}"),
        ("valkey/valkey", 'sh -c exec valkey-server --requirepass "${REDIS_PASSWORD}"'),
        ("nats:2", "--user app --pass ${REDIS_PASSWORD}"),
    ],
)
def test_a_password_on_a_servers_command_line_is_the_stacks_and_fits_old_data(
    image: str, command: str
) -> None:
    secret = owner_of("REDIS_PASSWORD", question(service("cache", image, command)))
    assert (secret.owner, secret.server, secret.keeps_data) == ("stack", "cache", False)


@pytest.mark.parametrize(
    "other",
    [
        service("web", DATABASE_URL="postgresql://postgres:postgres@db:5432/x"),
        service("web", DB_HOST="db", DB_PASSWORD="postgres"),
    ],
)
def test_the_same_secret_as_a_fixed_text_elsewhere_is_named(other: WrittenService) -> None:
    server = service("db", "postgres", POSTGRES_PASSWORD="${PG:-postgres}")
    secret = owner_of("PG", question(server, other, defaults={"PG": "postgres"}))
    assert [place.service for place in secret.literals] == ["web"]


@pytest.mark.parametrize(
    "other",
    [
        service("web", DATABASE_URL="postgresql://postgres:postgres@elsewhere/x"),
        service("web", DATABASE_URL="postgresql://reader:its-own@db/x"),
        service("web", POSTGRES_DB="postgres"),
    ],
)
def test_another_servers_or_accounts_password_is_no_such_text(other: WrittenService) -> None:
    server = service("db", "postgres", POSTGRES_PASSWORD="${PG:-postgres}")
    secret = owner_of("PG", question(server, other, defaults={"PG": "postgres"}))
    assert secret.literals == ()


def test_a_default_that_consists_of_another_variable_leads_to_that_one() -> None:
    server = service("db", "postgres", POSTGRES_PASSWORD="${PG:-postgres}")
    url = "postgres://u:${PG:-postgres}@db/x"
    app = service("web", DATABASE_URL=f"${{DATABASE_URL:-{url}}}")
    asked = question(server, app, defaults={"DATABASE_URL": url, "PG": "postgres"})
    assert secret_variables(["DATABASE_URL", "PG"], asked).keys() == {"PG"}
    assert owner_of("PG", asked).users == ("web",)


def test_the_user_in_a_url_is_no_secret() -> None:
    app = service("web", URL="amqp://${RABBIT_USER}:${RABBIT_PW}@queue/")
    assert secret_variables(["RABBIT_USER", "RABBIT_PW"], question(app)).keys() == {"RABBIT_PW"}


@pytest.mark.parametrize(
    ("name", "is_own"),
    [
        ("SECRET_KEY", True),
        ("FLASK_SECRET_KEY", True),
        ("DJANGO_SECRET_KEY", True),
        ("SHOP_SECRET_KEY", True),  # the service's own name
        ("SECRET_KEY_BASE", True),
        ("JWT_SECRET", True),
        ("SESSION_SECRET", True),
        ("STRIPE_SECRET_KEY", False),
        ("AWS_SECRET_ACCESS_KEY", False),
        ("RECAPTCHA_SECRET_KEY", False),
        ("SUPABASE_JWT_SECRET", False),
        ("WSO2_CLIENT_SECRET", False),
        ("WSO2_IS_INTROSPECT_PASSWORD", False),
        ("GOOGLE_OAUTH_CLIENT_SECRET", False),
        ("SMTP_PASSWORD", False),
        ("SENTRY_AUTH_TOKEN", False),
        ("S3_SECRET_KEY", False),
        ("ENCRYPTION_KEY", False),  # data is encrypted with it
        ("APP_KEY", False),  # Laravel wants a form of its own
        ("API_TOKEN", False),
    ],
)
def test_only_a_key_that_an_app_signs_its_own_data_with_may_be_new(name: str, is_own: bool) -> None:
    app = service("shop", **{name: f"${{{name}:-x}}"})
    expected = "app" if is_own else "person"
    assert owner_of(name, question(app, defaults={name: "x"})).owner == expected


def test_a_key_that_different_images_share_is_a_persons() -> None:
    shared = {"JWT_SECRET": "${JWT_SECRET}"}
    apart = question(service("rest", "postgrest/postgrest", **shared), service("web", **shared))
    assert owner_of("JWT_SECRET", apart).owner == "person"
    together = question(service("web", "app:1", **shared), service("worker", "app:1", **shared))
    assert owner_of("JWT_SECRET", together).owner == "app"


def test_a_file_that_a_database_shares_with_the_app_makes_no_keys_the_databases() -> None:
    file = {"POSTGRES_PASSWORD": "${POSTGRES_PASSWORD}", "SECRET_KEY": "${SECRET_KEY}"}
    asked = question(service("db", "postgres"), service("web"), extra={"db": file, "web": file})
    secrets = secret_variables(list(file), asked)
    assert {name: secret.owner for name, secret in secrets.items()} == {
        "POSTGRES_PASSWORD": "stack",
        "SECRET_KEY": "app",
    }
    assert secrets["SECRET_KEY"].places == (Place("web", "SECRET_KEY"),)


def test_a_url_of_the_same_file_follows_its_servers_secret() -> None:
    values = {
        "DATABASE_URL": "postgresql://app:change-me@db:5432/x?a=b",
        "HOOK": "https://u:change-me@hooks.example.org/",
    }
    asked = question(
        service("db", "postgres", POSTGRES_PASSWORD="${PG}"), defaults={"PG": "change-me"}
    )
    assert urls_with(secret_variables(["PG"], asked), values, asked) == {"DATABASE_URL": "PG"}
    assert with_password(values["DATABASE_URL"], "new") == "postgresql://app:new@db:5432/x?a=b"


def test_who_issues_a_secret_is_said_only_where_the_name_says_it() -> None:
    assert issuer("WSO2_IS_INTROSPECT_PASSWORD") == "of the identity provider"
    assert issuer("SMTP_PASSWORD") == "of the mail service"
    assert issuer("STRIPE_API_KEY") == ""
    assert is_own_key("WTF_CSRF_SECRET_KEY", frozenset())
