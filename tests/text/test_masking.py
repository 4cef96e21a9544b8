"""Secrets are masked by name and shape. Most secrets in these tests contain the word canary."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from dartsctl.text.masking import MASK, has_secret_shape, mask_command, mask_model, mask_text
from dartsctl.text.safe_text import CUT, LINE_LIMIT


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["serve", "--password", "canary"], ["serve", "--password", "***"]),
        (
            ["serve", "--db-password=canary", "--port", "8080"],
            ["serve", "--db-password=***", "--port", "8080"],
        ),
        (["serve", "--api-key", "canary word"], ["serve", "--api-key", "***"]),
        (["serve", "-token", "canary"], ["serve", "-token", "***"]),
        (["serve", "--Auth-Token=canary"], ["serve", "--Auth-Token=***"]),
        (["serve", "--password", "--verbose"], ["serve", "--password", "--verbose"]),
        (["env", "SECRET_KEY=canary", "flask", "run"], ["env", "SECRET_KEY=***", "flask", "run"]),
        (["env", "PGPASSWORD=canary two"], ["env", "PGPASSWORD=***"]),
        (
            ["docker", "run", "-ePOSTGRES_PASSWORD=canary"],
            ["docker", "run", "-ePOSTGRES_PASSWORD=***"],
        ),
        (
            ["docker", "run", "-e", "POSTGRES_PASSWORD=canary"],
            ["docker", "run", "-e", "POSTGRES_PASSWORD=***"],
        ),
        (
            ["docker", "run", "--env=POSTGRES_PASSWORD=canary"],
            ["docker", "run", "--env=POSTGRES_PASSWORD=***"],
        ),
        (
            ["sh", "-c", "export TOKEN=canary; exec serve -p 80"],
            ["sh", "-c", "export TOKEN=***; exec serve -p 80"],
        ),
        (
            ["sh", "-c", "serve --password 'canary one' --port 80"],
            ["sh", "-c", "serve --password *** --port 80"],
        ),
        (
            ["sh", "-c", 'serve --password="canary one" --port 80'],
            ["sh", "-c", 'serve --password="***" --port 80'],
        ),
        (["worker", "amqp://guest:canary@rabbitmq:5672/"], ["worker", "amqp://***@rabbitmq:5672/"]),
        (
            ["worker", "--broker=amqp://guest:canary@rabbitmq:5672/"],
            ["worker", "--broker=amqp://***@rabbitmq:5672/"],
        ),
        (["python", "run.py", "--port", "5007"], ["python", "run.py", "--port", "5007"]),
        (["curl", "http://h/?token=canary"], ["curl", "http://h/?***"]),
        (["mysql", "-uroot", "-pcanary", "darts"], ["mysql", "-uroot", "-p***", "darts"]),
        (["mysqldump", "-p", "darts"], ["mysqldump", "-p", "darts"]),
        (
            ["/usr/bin/redis-cli", "-a", "canary", "ping"],
            ["/usr/bin/redis-cli", "-a", "***", "ping"],
        ),
        (["curl", "-u", "ann:canary", "http://h/"], ["curl", "-u", "ann:***", "http://h/"]),
        (["curl", "-uann:canary", "http://h/"], ["curl", "-uann:***", "http://h/"]),
        (["curl", "-H", "Authorization: Bearer canary"], ["curl", "-H", "Authorization: ***"]),
        (
            ["sshpass", "-p", "canary", "ssh", "-p", "2222", "host"],
            ["sshpass", "-p", "***", "ssh", "-p", "2222", "host"],
        ),
        (
            ["docker", "login", "-u", "ann", "-p", "canary"],
            ["docker", "login", "-u", "ann", "-p", "***"],
        ),
        (["docker", "run", "-p", "80:80", "nginx"], ["docker", "run", "-p", "80:80", "nginx"]),
        (
            ["serve", '{"password": "canary", "port": 80}'],
            ["serve", '{"password": "***", "port": 80}'],
        ),
        (["sh", "-c", "mysql -uroot -pcanary darts"], ["sh", "-c", "mysql -uroot -p*** darts"]),
    ],
)
def test_only_the_secrets_of_a_command_line_are_masked(words: list[str], shown: list[str]) -> None:
    assert mask_command(words) == tuple(shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://user:canary@db:5432/x", "postgres://***@db:5432/x"),
        ("postgres://user:can@ary@db/x", "postgres://***@db/x"),
        ("amqp://user:can/ary@db", "amqp://***@db"),
        ("redis://:canary@cache", "redis://***@cache"),
        (
            "https://canary@example.org and amqp://a:canary@b",
            "https://***@example.org and amqp://***@b",
        ),
        ("DB_PASSWORD=canary", "DB_PASSWORD=***"),
        ("password = canary", "password = ***"),
        ("REDIS_AUTH=canary PASSWORD_OLD=canary", "REDIS_AUTH=*** PASSWORD_OLD=***"),
        ('{"api_key":"can\\"ary"}', '{"api_key":"***"}'),
        (r"{\"password\":\"canary\", \"a\": 1}", r"{\"password\":\"***\", \"a\": 1}"),
        ("{'token': 'canary'}", "{'token': '***'}"),
        ("password: canary99", "password: ***"),
        ("GET /callback?code=canary HTTP/1.1", "GET /callback?*** HTTP/1.1"),
        (
            'upstream: "http://10.0.0.3:5000/a?access_token=canary", host: "h"',
            'upstream: "http://10.0.0.3:5000/a?***", host: "h"',
        ),
        ('host: "h", referrer: "https://idp/canary"', 'host: "h", referrer: "***"'),
        (
            '"GET / HTTP/1.1" 200 61 "https://idp/canary" "curl/8"',
            '"GET / HTTP/1.1" 200 61 "***" "curl/8"',
        ),
        ("Authorization: Basic Y2FuYXJ5", "Authorization: ***"),
        ("sent Bearer canary.1 to it", "sent Bearer *** to it"),
        ("Cookie: session=canary; b=canary", "Cookie: ***"),
        ("X-Api-Key: canary", "X-Api-Key: ***"),
        ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2ln", "got ***"),
        ("AKIAIOSFODNN7EXAMPLE ghp_canarycanarycanary12 xoxb-canary-canary", "*** *** ***"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\ncanary\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----***-----END RSA PRIVATE KEY-----",
        ),
        ("root:$y$j9T$F5canary..1$X3DX6canary:20228:0", "root:***:20228:0"),
        ("users=ann:$apr1$abcd$canarycanary/1, b", "users=ann:*** b"),
        ("users=ann:$$apr1$$abcd$$canarycanary", "users=ann:$***"),
        ("hash $2b$12$canarycanarycanary.canary", "hash ***"),
        ("argon $argon2id$v=19$m=65536,t=3,p=4$canary", "argon ***"),
        ("key wJalrXUtnFEMI7K7MDENG1bPxRfiCYEXAMPLEKEYabc", "key ***"),
        ("run mysql -pcanary; then", "run mysql -p***; then"),
        ("serve --api-key canary --port 80", "serve --api-key *** --port 80"),
    ],
)
def test_secrets_in_text_are_masked_by_name_or_shape(text: str, shown: str) -> None:
    assert mask_text(text) == shown
    assert mask_text(shown) == shown, "masking is idempotent"


@pytest.mark.parametrize(
    "text",
    [
        "Container case-shop-frontend-1  Started",
        'service "frontend" depends on undefined service "db"',
        "http://localhost:5000/path",
        "http://localhost/@vite/client",
        "mail me@example.org",
        "127.0.0.1:5000 is held by python (pid 12)",
        "#7 sha256:9f2c4b7e1d8a6035c9e4f7b2a1d8c6e39f2c4b7e1d8a6035c9e4f7b2a1d8c6e3 1.2MB / 3MB",
        "naming to docker.io/library/darts-app:latest done",
        "POSTGRES_PASSWORD is required, but not set",
        "POSTGRES_PASSWORD: is missing",
        "DB_PASSWORD (.env.production:6) is still a placeholder",
        "TLS_KEY=/etc/certs/tls.key COOKIE_SECURE=true",
        "PROXY_PASS=http://app:5000 PASSWORD=${DB_PASSWORD}",
        "APP_MODE=frontend AUTH_MODE=basic TOKEN_URL=http://idp:9443/token KEYBOARD=us",
        "basic authentication failed; Bearer token missing",
        "location ~ ^/api/?(.*)$",
        "prices are $1$ and $5$ or $6 $y$",
        "docker run -p 80:80 -u ann nginx",
        "/usr/local/lib/python3.12/site-packages/SomeLongPackageName/SubModule123/Another_Thing_V2",
        "error: unknown key [server] comand: did you mean command?",
        "dartsctl prod up --on-conflict stop --yes",
        "Network darts-network  Creating",
    ],
)
def test_other_text_is_unchanged(text: str) -> None:
    assert mask_text(text) == text


ADVERSARIAL = [
    *(
        "-",
        "a",
        "A1b",
        "pass",
        "=",
        ":",
        "://",
        "'",
        '"',
        '\\"',
        "\0",
        "ü",
        "?",
        "/a",
        "x.",
        "eyJ",
        "eyJ.",
        "$y$",
        "sk-",
        "-p",
        "a=",
    ),
    *(
        "pass=",
        "pass= ",
        "pass=' ",
        "pass=;",
        'pass:\\"',
        "key:",
        "key=/a/",
        "--pass ",
        "--pass -",
        "-a ",
        "a b ",
        "mysql -p",
        "mysql ",
    ),
    *(
        "://a@",
        "://a:",
        "://:",
        "Bearer ",
        "Authorization: ",
        "Cookie: a=",
        "referrer: ",
        'HTTP/1.1" 200 5 "',
        "GET /x?y HTTP/1.1 ",
    ),
    *(
        "-----BEGIN PRIVATE KEY-----",
        '{"password": "x"} ',
        "log line: status=200 user=ann took 12 ms\n",
    ),
]


@pytest.mark.parametrize("unit", ADVERSARIAL)
def test_the_time_is_linear_in_the_length(unit: str) -> None:
    """1 MB takes 0.03 s, or 0.4 s if every word is a secret name; backtracking takes minutes."""
    half, whole = (
        min(_seconds(unit * (size // len(unit))) for _ in range(2)) for size in (100_000, 400_000)
    )
    assert whole < 2
    assert whole < 10 * half + 0.1, "four times the length"


def _seconds(text: str) -> float:
    began = time.thread_time()  # CPU time: the machine may be busy
    mask_text(text)
    return time.thread_time() - began


def test_a_long_command_line_is_cut_first() -> None:
    shown = mask_command(["serve", "x" * 1_000_000, *(["--password"] * 100_000)])
    assert len(shown) == 3
    assert shown[1] == "x" * LINE_LIMIT + CUT
    assert shown[2] == "... (cut)"


@pytest.mark.parametrize(
    "value",
    ["Zx9vLong0And1Odd2Y0123456789", "sk_live_0123456789abcdef", "-----BEGIN PRIVATE KEY-----"],
)
def test_a_value_can_be_a_secret_by_its_shape(value: str) -> None:
    assert has_secret_shape(value)


@pytest.mark.parametrize(
    "value",
    [
        "frontend",
        "1.28.0",
        "/usr/local/bin",
        "9f2c4b7e1d8a6035c9e4f7b2a1d8c6e3",
        "ann@example.org",
        "Europe/Berlin",
    ],
)
def test_ordinary_values_do_not_look_like_secrets(value: str) -> None:
    assert not has_secret_shape(value)


# --- Compose's model ---------------------------------------------------------------------------


def recorded_model() -> str:
    return (Path(__file__).parents[1] / "data" / "compose" / "secrets.json").read_text()


def shown_model() -> dict[str, Any]:
    shown: dict[str, Any] = mask_model(json.loads(recorded_model())["model"])
    return shown


def test_a_masked_model_keeps_names_and_structure() -> None:
    shown = shown_model()
    app = shown["services"]["app"]
    assert app["environment"] == {
        "DATABASE_URL": "***",
        "EMPTY": None,
        "LOG_LEVEL": "***",
        "POSTGRES_PASSWORD": "***",
    }
    assert app["labels"] == {"traefik.auth": "***"}
    assert app["build"]["args"] == {"NPM_TOKEN": "***"}
    assert app["command"] == [
        "serve",
        "--api-key",
        "***",
        "--dsn=***",
        "--broker",
        "amqp://***@rabbitmq:5672/",
        "--port",
        "8080",
    ]
    assert app["entrypoint"] == ["sh", "-c", "export DB_PASSWORD=***; exec serve --port 8081"]
    assert app["secrets"][0] == {
        "source": "from_environment",
        "target": "/run/secrets/from_environment",
    }
    assert app["image"] == "busybox"
    assert shown["secrets"]["from_environment"] == {
        "name": "demo_from_environment",
        "environment": "CANARY_SECRET",
    }
    assert shown["configs"]["inline"] == {"name": "demo_inline", "content": MASK}
    assert shown["name"] == "demo"


@pytest.mark.parametrize("content", ["s3cret-text", ["s3cret-text"], {"a": "s3cret-text"}])
def test_the_content_of_a_config_is_masked_whatever_its_type(content: object) -> None:
    assert mask_model({"configs": {"c": {"content": content}}}) == {
        "configs": {"c": {"content": "***"}}
    }


def test_the_query_of_a_cut_request_is_masked() -> None:
    assert "canary" not in mask_text(
        'request: "GET /c(2026-11-23T23:30:37.3allback?code=canary HTTP/1.1"'
    )
    assert mask_text("really? x=1") == "really? x=1"


@pytest.mark.parametrize(
    "text",
    [
        "POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:?}",
        '"POSTGRES_PASSWORD": "${PG?}"',
        "DATABASE_URL: postgresql://app:${POSTGRES_PASSWORD:?}@db:5432/app",
    ],
)
def test_a_reference_to_a_required_variable_is_no_secret(text: str) -> None:
    assert mask_text(text) == text


def test_what_stands_beside_a_reference_is_masked() -> None:
    for text in (
        "postgres://app:a${PG:?}@db/app",
        "postgres://app:${PG:-canary}@db/app",
        "DB_PASSWORD=${PG:?}canary",
    ):
        assert text not in mask_text(text)
        assert "canary" not in mask_text(text)
