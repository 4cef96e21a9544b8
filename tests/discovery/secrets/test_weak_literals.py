"""Weak secrets that Compose files have as fixed texts: what belongs together gets one variable."""

from __future__ import annotations

import pytest

from dartsctl.discovery.secrets.weak_literals import weak_literals
from dartsctl.discovery.written_model import WrittenService


def service(name: str, image: str = "shop/app", **environment: str) -> WrittenService:
    return WrittenService(name, image=image, environment=environment, hosts=frozenset({name}))


def replaced(*services: WrittenService) -> dict[str, str]:
    """Return place -> what is to be written there; empty where it is not clear."""
    by_name = {own.name: own for own in services}
    images = {own.name: own.image for own in services}
    return {
        str(literal.place): literal.replacement if literal.variable else ""
        for literal in weak_literals(by_name, images)
    }


DATABASE = service("db", "postgres:16", POSTGRES_USER="shop", POSTGRES_PASSWORD="postgres")


def test_a_password_and_the_urls_that_use_it_get_one_variable() -> None:
    url = "postgresql://shop:postgres@db:5432/shop?sslmode=disable"
    assert replaced(DATABASE, service("web", DATABASE_URL=url)) == {
        "db.POSTGRES_PASSWORD": "${POSTGRES_PASSWORD:?}",
        "web.DATABASE_URL": "postgresql://shop:${POSTGRES_PASSWORD:?}@db:5432/shop?sslmode=disable",
    }


def test_a_password_that_is_the_users_name_is_weak_in_the_url_too() -> None:
    database = service("db", "postgres:16", POSTGRES_USER="shop_app", POSTGRES_PASSWORD="shop_app")
    assert replaced(
        database, service("web", DATABASE_URL="postgresql://shop_app:shop_app@db/s")
    ) == {
        "db.POSTGRES_PASSWORD": "${POSTGRES_PASSWORD:?}",
        "web.DATABASE_URL": "postgresql://shop_app:${POSTGRES_PASSWORD:?}@db/s",
    }


@pytest.mark.parametrize(
    "web",
    [
        service("web", POSTGRES_PASSWORD="postgres"),
        service("web", DB_HOST="db", DB_PASSWORD="postgres"),
        service("web", DB_PASSWORD="postgres"),
    ],
)
def test_a_password_variable_follows_its_server(web: WrittenService) -> None:
    (place,) = [place for place in replaced(DATABASE, web) if place.startswith("web.")]
    assert replaced(DATABASE, web)[place] == "${POSTGRES_PASSWORD:?}"


def test_two_servers_with_one_password_are_told_apart_or_left_alone() -> None:
    other = service("stats", "postgres:16", POSTGRES_PASSWORD="postgres")
    web = service(
        "web",
        A="postgres://u:postgres@db/x",
        B="postgres://u:postgres@stats/x",
        PGPASSWORD="postgres",
    )
    assert replaced(DATABASE, other, web) == {
        "db.POSTGRES_PASSWORD": "${DB_POSTGRES_PASSWORD:?}",
        "stats.POSTGRES_PASSWORD": "${STATS_POSTGRES_PASSWORD:?}",
        "web.A": "postgres://u:${DB_POSTGRES_PASSWORD:?}@db/x",
        "web.B": "postgres://u:${STATS_POSTGRES_PASSWORD:?}@stats/x",
        "web.PGPASSWORD": "",
    }


def test_only_what_production_refuses_is_named() -> None:
    web = service(
        "web",
        SECRET_KEY="${SECRET_KEY:-dev}",
        API_TOKEN="a8Kd03mslqP29dkfJ3ls",
        TLS_KEY="/etc/ssl/a.key",
        MODE="production",
        URL="https://shop.example.org/",
        DATABASE_URL="postgres://u:${PW:-postgres}@db/x",
        ADMIN_PASSWORD="changeme",
        MAIL_URL="smtp://${MAIL_USER:-u}:password@mail.test/",
    )
    assert replaced(web) == {"web.ADMIN_PASSWORD": "${ADMIN_PASSWORD:?}", "web.MAIL_URL": ""}
    (literal, _) = weak_literals({"web": web}, {})
    assert "changeme" not in repr(literal)
