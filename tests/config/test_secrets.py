"""What production must not run with; and good files, about which nothing is reported."""

from __future__ import annotations

import time

import pytest

from dartsctl.config.secrets import (
    Objection,
    Variable,
    is_placeholder,
    judge,
    judge_mode,
    judge_model,
    missing,
    secrets_among,
    unread,
    weakness,
)
from dartsctl.stack.model import Service, Stack
from dartsctl.text.secret_names import is_secret_name

STRONG = "9f2c4b7e1d8a6035c9e4f7b2a1d8c6e3"


def kinds_of(values: dict[str, str], examples: dict[str, str] | None = None) -> dict[str, str]:
    """Name -> kind of every objection to an env file with these values."""
    variables = [
        Variable(name, value, f".env.production:{line}")
        for line, (name, value) in enumerate(values.items(), 1)
    ]
    return {objection.name: objection.kind for objection in judge(variables, examples or {})}


def in_model(environment: dict[str, str], **more: object) -> dict[str, str]:
    stack = Stack("shop", {"web": Service("web", environment=environment)}, {})
    options: dict[str, object] = {"settled": (), "examples": {}, "exported": {}, **more}
    objections = judge_model(stack, **options)  # type: ignore[arg-type]  # the keywords above
    return {objection.name: objection.kind for objection in objections}


# --- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "POSTGRES_PASSWORD",
        "PGPASSWORD",
        "RABBITMQ_DEFAULT_PASS",
        "SECRET_KEY",
        "SECRET_KEY_BASE",
        "WSO2_CLIENT_SECRET",
        "AWS_SECRET_ACCESS_KEY",
        "TTS_API_KEY",
        "OPENAI_APIKEY",
        "JWT_SECRET",
        "GITHUB_TOKEN",
        "RABBITMQ_ERLANG_COOKIE",
        "DB_PASSWD",
        "dbPassword",
        "SMTP_PASSWORD_2",
        "TLS_KEY_PASSPHRASE",
    ],
)
def test_a_secret_is_recognized_by_the_last_word_of_its_name(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "POSTGRES_USER",
        "POSTGRES_PASSWORD_FILE",
        "OAUTH_TOKEN_URL",
        "TOKEN_LIFETIME",
        "RABBITMQ_ROUTING_KEY",
        "STRIPE_PUBLISHABLE_KEY",
        "VAPID_PUBLIC_KEY",
        "AWS_ACCESS_KEY_ID",
        "PASSWORD_MIN_LENGTH",
        "SESSION_COOKIE_SECURE",
        "SECRETARY_EMAIL",
        "MYSQL_ALLOW_EMPTY_PASSWORD",
        "MARIADB_RANDOM_ROOT_PASSWORD",
        "OPENAI_MAX_TOKENS",
        "MINIO_ACCESS_KEY",
        "RABBITMQ_BINDING_KEY",
        "AUTH_COOKIE",
        "PWD",
        "KEYCLOAK_URL",
        "AUTH_BYPASS",
        "MONKEY",
        "COMPASS",
        "_",
        "",
    ],
)
def test_a_name_that_only_contains_such_a_word_is_no_secret(name: str) -> None:
    assert not is_secret_name(name)


# --- values that are refused -------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        "change-me",
        "CHANGEME",
        "change_me_please",
        "please-change-this",
        "replace-me",
        "<your-secret>",
        "your-secret-key-here",
        "your_password",
        "insert-key-here",
        "xxx",
        "xxxxxxxxxxxxxxxx",
        "xxxx-xxxx",
        "TODO",
        "tbd",
        "FIXME",
        "***",
        "...",
        "placeholder",
        "to-be-set",
        "  change-me  ",
    ],
)
def test_a_value_to_be_replaced_is_a_placeholder(value: str) -> None:
    assert kinds_of({"SECRET_KEY": value}) == {"SECRET_KEY": "placeholder"}


@pytest.mark.parametrize(
    "value",
    [
        "guest",
        "admin",
        "Admin123!",
        "postgres",
        "password",
        "Password1",
        "p@ssw0rd",
        "secret",
        "supersecret",
        "mysecretpassword",
        "my-super-secret-key",
        "dev-secret-key",
        "dev-secret-key-2024",
        "darts-dev",
        "darts_secret",
        "rabbitmq123",
        "changeit",
        "wso2carbon",
        "minioadmin",
        "letmein",
        "qwerty123",
        "test-secret-key",
        "flask-secret-key",
        "jwt_secret_key",
        "12345678901234",
        "aaaaaaaaaaaaaaaa",
        "abababababababab",
        "django-insecure-4n@j8s)k2!x7v0c$pq1w",
    ],
)
def test_well_known_values_are_defaults(value: str) -> None:
    assert kinds_of({"SOME_PASSWORD": value}) == {"SOME_PASSWORD": "default"}


def test_a_password_is_never_read_as_a_switch() -> None:
    assert kinds_of({"POSTGRES_PASSWORD": "yes", "DB_PASSWORD": "none", "X_PASSWORD": "1"}) == {
        "POSTGRES_PASSWORD": "short",
        "DB_PASSWORD": "short",
        "X_PASSWORD": "short",
    }


def test_a_secret_that_equals_a_user_name_is_a_default() -> None:
    assert kinds_of(
        {"POSTGRES_USER": "Torsten-Berlin-77", "POSTGRES_PASSWORD": "torsten-berlin-77"}
    ) == {"POSTGRES_PASSWORD": "default"}


def test_a_secret_of_the_example_file_is_refused_under_whatever_name() -> None:
    examples = {"SECRET_KEY": STRONG, "TZ": "Europe/Berlin", "POSTGRES_VERSION": "16-alpine"}
    values = {
        "SECRET_KEY": STRONG,
        "JWT_SECRET": STRONG,
        "TZ": "Europe/Berlin",
        "POSTGRES_VERSION": "16-alpine",
    }
    assert kinds_of(values, examples) == {"SECRET_KEY": "example", "JWT_SECRET": "example"}


def test_a_password_inside_the_examples_url_is_one_of_its_secrets() -> None:
    assert kinds_of(
        {"DB_PASSWORD": STRONG}, {"DATABASE_URL": f"postgresql://darts:{STRONG}@db/darts"}
    ) == {"DB_PASSWORD": "example"}


def test_eleven_characters_are_too_few_and_twelve_are_enough() -> None:
    assert kinds_of({"A_TOKEN": "k7Qp2x9Zr4T", "B_TOKEN": "k7Qp2x9Zr4Tw"}) == {"A_TOKEN": "short"}


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("amqp://guest:guest@rabbitmq:5672/", "default"),
        ("postgresql://postgres:postgres@postgres:5432/darts", "default"),
        ("postgresql://darts:change-me@postgres/darts", "placeholder"),
        ("redis://:secret@redis:6379/0", "default"),
        ("postgresql+psycopg://darts:k7Qp2x@postgres/darts", "short"),
        ("mysql://torsten-berlin:torsten%2Dberlin@db/x", "default"),
        (f"postgresql://darts:{STRONG}@postgres:5432/darts", None),
        ("postgresql://postgres@/darts?host=/run/postgresql", None),
        ("https://darts.club/callback", None),
    ],
)
def test_the_password_inside_a_url_is_judged_like_any_other(url: str, kind: str | None) -> None:
    assert kinds_of({"DATABASE_URL": url}) == ({"DATABASE_URL": kind} if kind else {})


def test_a_url_that_is_made_of_a_judged_secret_is_not_reported_twice() -> None:
    url = "postgresql://darts:guest@db/darts"
    uses = frozenset({"POSTGRES_PASSWORD", "HOST"})
    variables = (
        Variable("POSTGRES_PASSWORD", "guest", ".env:1"),
        Variable("DATABASE_URL", url, ".env:2", uses),
    )
    assert [objection.name for objection in judge(variables, {})] == ["POSTGRES_PASSWORD"]


def test_variables_with_the_same_weak_value_are_all_reported() -> None:
    assert kinds_of(
        {
            "POSTGRES_PASSWORD": "guest",
            "RABBITMQ_PASSWORD": "guest",
            "DATABASE_URL": "postgresql://darts:guest@db/darts",
        }
    ) == dict.fromkeys(("POSTGRES_PASSWORD", "RABBITMQ_PASSWORD", "DATABASE_URL"), "default")


def test_a_placeholder_is_refused_whatever_its_name_is() -> None:
    assert kinds_of(
        {"TTS_REGION": "change-me", "PUBLIC_URL": "<https url>", "MAIL_FROM": "your-address-here"}
    ) == {
        "TTS_REGION": "placeholder",
        "PUBLIC_URL": "placeholder",
        "MAIL_FROM": "placeholder",
    }


def test_a_reserved_domain_is_a_warning() -> None:
    values = {
        "WSO2_REDIRECT_URI": "https://darts.example.org/callback",
        "HOST": "myexample.org",
        "OTHER": "example.organic",
    }
    (objection,) = judge([Variable(name, value, "x") for name, value in values.items()], {})
    assert (objection.name, objection.kind) == ("WSO2_REDIRECT_URI", "reserved-domain")
    assert objection.is_warning


# --- good files --------------------------------------------------------------------------------

GOOD_FILES: dict[str, dict[str, str]] = {
    "the bundled stack": {
        "POSTGRES_PASSWORD": STRONG,
        "RABBITMQ_PASSWORD": "b81d0f4c6a27e935b81d0f4c6a27e935",
        "SECRET_KEY": "3f9e1c7a5b2d8064f0e1d2c3b4a59687",
        "WSO2_IS_INTROSPECT_USER": "admin",
        "WSO2_IS_INTROSPECT_PASSWORD": "0c1e2a3b4d5f60718293a4b5c6d7e8f9",
        "WSO2_IS_URL": "https://darts.club-berlin.de/auth",
        "WSO2_CLIENT_ID": "Zq3fGk9xYp1Lr7",
        "WSO2_CLIENT_SECRET": "",
        "WSO2_IS_VERIFY_SSL": "False",
        "TLS_DIR": "/srv/darts-certificate",
        "TLS_NAME": "darts.club-berlin.de",
        "NGINX_PLAIN_HTTP": "redirect",
        "POSTGRES_USER": "darts",
        "POSTGRES_DB": "darts",
        "RABBITMQ_VHOST": "/",
        "RABBITMQ_EXCHANGE": "darts_exchange",
        "RABBITMQ_TOPIC": "darts.#",
        "NGINX_VERSION": "1.28-alpine",
        "DARTSERVER_DIR": "/srv/dartserver-pythonapp",
        "JWT_VALIDATION_MODE": "introspection",
    },
    "secrets of every make": {
        "A_PASSWORD": "correct horse battery staple",
        "B_PASSWORD": "Tr0ub4dor&3-Xy",
        "C_SECRET": "q8Zk1vRr-_7LwE0uJp3oYw",
        "D_KEY": "bXkgbm90IHNvIHNlY3JldCB2YWx1ZQ==",
        "E_TOKEN": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "F_TOKEN": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N",
        "G_KEY": "/u8Qd0x3Zk7pW2c9tYb1nA==",
        "H_KEY": "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
        "I_PASSWORD": "päßwörter-mit-umlaut",
        "J_SECRET": "3d6f0a5e-8f4b-4a1c-9a7e-2b1c0d9e8f7a",
        "K_KEY": "AKIAIOSFODNN7QWERTYU",
        "L_SECRET": "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----",
        "M_PASSWORD": "Dartscheibe!Berlin!Kneipe",
        "N_PASSWORD": "exchange-me-not-8734",
        "O_PASSWORD": "your mother was a hamster",
        "P_SECRET": "enter sandman at midnight",
    },
    "what only looks like a secret": {
        "REQUIRE_PASSWORD": "true",
        "HAS_TOKEN": "no",
        "TLS_KEY": "/etc/nginx/certs/tls.key",
        "JWT_KEY": "./keys/jwt.pem",
        "DB_SECRET": "/run/secrets/db_password",
        "POSTGRES_PASSWORD_FILE": "/run/secrets/db",
        "RABBITMQ_ROUTING_KEY": "darts.score",
        "PASSWORD_MIN_LENGTH": "8",
        "TOKEN_LIFETIME": "3600",
        "SITE_KEY": "short",
        "COOKIE_TOKEN": "False",
        "PROXY_PASS": "http://darts-app:5000",
        "OPENAI_MAX_TOKENS": "4096",
        "MINIO_ACCESS_KEY": "darts",
        "ALLOW_EMPTY_PASSWORD": "yes",
        "SESSION_COOKIE": "session",
        "SMTP_PASSWORD": "",
        "GOOGLE_CREDENTIALS": "~/.config/gcloud/key.json",
    },
    "ordinary settings": {
        "TZ": "Europe/Berlin",
        "LOG_LEVEL": "info",
        "WORKERS": "4",
        "ADMIN_EMAIL": "admin@darts.club",
        "MAIL_FROM": "Darts <noreply@darts.club>",
        "GREETING": "Welcome! Exchange messages with your club",
        "CRON": "* * * * *",
        "DEBUG": "False",
        "SCHEMA": "public",
        "FEATURES": "a,b,c",
        "TEMPLATE": "score: {player} {points}",
        "DATABASE_URL": f"postgresql://darts:{STRONG}@postgres:5432/darts?sslmode=disable",
        "RABBITMQ_URL": "amqp://darts:b81d0f4c6a27e935@rabbitmq:5672/%2F",
        "CORS": "https://darts.club,https://www.darts.club",
        "USER": "guest",
        "TEAM": "Your Darts Club",
    },
}


@pytest.mark.parametrize("name", GOOD_FILES)
def test_nothing_is_reported_about_a_good_file(name: str) -> None:
    assert kinds_of(GOOD_FILES[name]) == {}
    examples = {
        "POSTGRES_PASSWORD": "change-me",
        "SECRET_KEY": "change-me",
        "TZ": "Europe/Berlin",
        "LOG_LEVEL": "info",
        "POSTGRES_USER": "darts",
    }
    assert kinds_of(GOOD_FILES[name], examples) == {}


def test_random_secrets_are_never_taken_for_weak_ones() -> None:
    import secrets

    for _ in range(2000):
        for value in (secrets.token_hex(16), secrets.token_urlsafe(16), secrets.token_hex(24)):
            assert weakness(Variable("SECRET_KEY", value, "")) is None, value


def test_long_values_of_common_words_are_judged_quickly() -> None:
    before = time.process_time()
    for value in (
        "secretpassword" * 500,
        "pass" * 10 + "!x",
        "dbpassdbpassdbpassdbpassdbpassdbpass!x!",
        "change-m" * 2000,
    ):
        weakness(Variable("SECRET_KEY", value, ""))
    assert time.process_time() - before < 10, "the processor's time: others do not count"


# --- the containers' environments --------------------------------------------------------------


def test_a_secret_that_stands_in_the_compose_files_is_named_by_its_service() -> None:
    assert in_model({"POSTGRES_PASSWORD": "postgres", "TZ": "UTC"}) == {
        "web.POSTGRES_PASSWORD": "default"
    }
    assert in_model({"BROKER": "amqp://guest:guest@mq/"}) == {"web.BROKER": "default"}
    assert in_model({"API_TOKEN": "k7Qp2x"}) == {"web.API_TOKEN": "short"}


def test_the_user_name_beside_a_password_counts_even_where_it_is_a_default() -> None:
    assert in_model({"POSTGRES_USER": "torstenberlin", "POSTGRES_PASSWORD": "torstenberlin"}) == {
        "web.POSTGRES_PASSWORD": "default"
    }


def test_what_the_env_files_set_is_not_judged_again_under_another_name() -> None:
    environment = {"RABBITMQ_DEFAULT_PASS": "guest", "URL": "amqp://u:guest@mq/"}
    assert in_model(environment, settled=("guest",)) == {}
    assert in_model(environment) == {"web.RABBITMQ_DEFAULT_PASS": "default", "web.URL": "default"}


def test_a_weak_value_that_the_caller_has_exported_is_named_by_its_variable() -> None:
    stack = Stack("shop", {"db": Service("db", environment={"POSTGRES_PASSWORD": "postgres"})}, {})
    (objection,) = judge_model(stack, (), {}, {"DB_PASSWORD": "postgres", "SHELL": "postgres"})
    assert (objection.name, objection.where) == ("DB_PASSWORD", "the environment")


def test_what_is_written_in_the_compose_files_is_reported_beside_an_equal_env_files_value() -> None:
    environment = {"DB_PASSWORD": "postgres", "OTHER_PASSWORD": "postgres"}
    stack = Stack("shop", {"web": Service("web", environment=environment)}, {})
    texts = {("web", "DB_PASSWORD"): "postgres", ("web", "OTHER_PASSWORD"): "${DB_PASSWORD}"}
    (objection,) = judge_model(stack, ("postgres",), {}, {}, lambda: texts)
    assert (objection.name, objection.where) == ("web.DB_PASSWORD", "the Compose files")


def test_every_exported_variable_that_may_be_the_source_is_reported() -> None:
    exported = {"A_PASSWORD": "postgres", "B_PASSWORD": "postgres", "EDITOR": "postgres"}
    own = {"A_PASSWORD": "postgres"}
    services = {
        "a": Service("a", environment=own),
        "b": Service("b", environment={"DB_PASS": "postgres"}),
    }
    objections = judge_model(Stack("shop", services, {}), (), {}, exported)
    assert [objection.name for objection in objections] == ["A_PASSWORD", "B_PASSWORD"]


def test_nothing_is_reported_about_strong_empty_and_ordinary_values_of_a_model() -> None:
    assert (
        in_model(
            {
                "SECRET_KEY": STRONG,
                "WSO2_CLIENT_SECRET": "",
                "MODE": "change-me",
                "HOST": "example.org",
                "FLASK_DEBUG": "False",
            }
        )
        == {}
    )


def test_every_service_with_a_weak_secret_is_reported() -> None:
    services = {
        name: Service(name, environment={"SECRET_KEY": "secret"}) for name in ("app", "gateway")
    }
    objections = judge_model(Stack("shop", services, {}), (), {}, {})
    assert [objection.name for objection in objections] == ["app.SECRET_KEY", "gateway.SECRET_KEY"]


# --- who may read an env file ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "kinds"),
    [(0o600, []), (0o400, []), (0o640, ["readable"]), (0o604, ["readable"]), (0o620, ["readable"])],
)
def test_only_its_owner_may_read_an_env_file(mode: int, kinds: list[str]) -> None:
    assert [objection.kind for objection in judge_mode("/srv/.env", mode)] == kinds


def test_the_advice_is_a_command_that_can_be_typed() -> None:
    (objection,) = judge_mode("/srv/my app/.env", 0o644)
    assert objection.advice == "chmod 600 '/srv/my app/.env'"
    assert objection.sentence == "/srv/my app/.env is accessible to all users (mode 0644)"
    assert judge_mode("/e", 0o640)[0].sentence == "/e is accessible to its group (mode 0640)"


# --- what is shown -----------------------------------------------------------------------------


def test_no_objection_holds_a_value() -> None:
    weak = {
        "A_PASSWORD": "canary-change-me-1",
        "B_TOKEN": "canary2",
        "C_URL": "amqp://u:canary3@h/",
        "D": "change-me-canary-4",
    }
    objections: list[Objection] = [
        *judge([Variable(name, value, ".env:1") for name, value in weak.items()], {})
    ]
    objections += judge_model(Stack("s", {"w": Service("w", environment=weak)}, {}), (), {}, {})
    objections += [*missing(["A_PASSWORD"]), unread(".env", "line 3")]
    assert len(objections) == 9  # D is judged only as a variable of the env file
    assert "canary" not in repr(objections)
    assert "canary" not in repr([Variable("A", "canary", "x"), Service("w", environment=weak)])


def test_every_objection_begins_with_its_name_and_place() -> None:
    (objection,) = judge([Variable("SECRET_KEY", "change-me", ".env.production:7")], {})
    assert objection.sentence == "SECRET_KEY (.env.production:7) is still a placeholder"
    assert objection.advice == "openssl rand -hex 24"
    assert missing(["X"])[0].sentence == "X is required, but not set"


def test_a_new_secret_is_no_advice_for_a_variable_that_is_none() -> None:
    assert [objection.advice for objection in missing(["WEB_PORT", "DB_PASSWORD"])] == [
        "",
        "openssl rand -hex 24",
    ]


def test_the_secrets_among_values_are_found_by_name_and_in_urls() -> None:
    values = {"A_KEY": "a", "B": "b", "C": "redis://:c%2B@h", "D_KEY": "/etc/ssl/d", "E_KEY": ""}
    assert secrets_among(values) == {"a", "c+"}


def test_a_placeholder_in_the_middle_of_a_word_does_not_count() -> None:
    assert not is_placeholder("exchange-me", secret=True)
    assert not is_placeholder("change-method", secret=True)
