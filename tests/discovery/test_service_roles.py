"""What a service is for follows from its image, or from its name where it is built."""

from __future__ import annotations

import pytest

from dartsctl.discovery.service_roles import is_outsider, kind_of, role_of
from dartsctl.stack.model import Service


@pytest.mark.parametrize(
    ("image", "role", "port"),
    [
        ("postgres:16-alpine", "database", 5432),
        ("registry.example.org:5000/postgis/postgis:16", "database", 5432),
        ("docker.io/bitnami/postgresql@sha256:0000", "database", 5432),
        ("mysql:8", "database", 3306),
        ("mcr.microsoft.com/mssql/server:2022-latest", "database", 1433),
        ("rabbitmq:3.13-management-alpine", "broker", 5672),
        ("confluentinc/cp-kafka:7.6", "broker", 9092),
        ("redis/redis-stack-server:7", "cache", 6379),
        ("valkey/valkey", "cache", 6379),
        ("axllent/mailpit", "mail catcher", 1025),
        ("minio/minio", "object store", 9000),
        ("docker.elastic.co/elasticsearch/elasticsearch:8.1.0", "search engine", 9200),
    ],
)
def test_a_store_or_mailbox_is_known_by_its_image(image: str, role: str, port: int) -> None:
    service = Service("anything", image=image)
    kind = kind_of(service)
    assert kind is not None
    assert (kind.role, kind.port) == (role, port)
    assert not is_outsider(service)


@pytest.mark.parametrize(
    ("image", "role"),
    [
        ("nginx:1.28-alpine", "proxy"),
        ("nginxinc/nginx-unprivileged", "proxy"),
        ("traefik:v3", "proxy"),
        ("wso2/wso2is:7.0.0", "identity provider"),
        ("quay.io/keycloak/keycloak:26", "identity provider"),
        ("ghcr.io/goauthentik/server:2024", "identity provider"),
        ("wso2/wso2am:4.3.0", "gateway"),
        ("kong:3", "gateway"),
    ],
)
def test_what_stands_before_the_app_is_known_too(image: str, role: str) -> None:
    service = Service("anything", image=image)
    assert role_of(service) == role
    assert is_outsider(service)


@pytest.mark.parametrize(
    "image",
    [
        "prometheuscommunity/postgres-exporter",
        "oliver006/redis_exporter",
        "dpage/pgadmin4",
        "mongo-express",
        "prodrigestivill/postgres-backup-local",
        "ghcr.io/shop/web:1",
        "python:3.12-slim",
        "",
    ],
)
def test_an_image_that_only_sounds_like_a_database_has_no_role(image: str) -> None:
    assert role_of(Service("tool", image=image)) is None


def test_a_built_service_is_known_by_its_own_name() -> None:
    """Its image's name is the project's: it says nothing."""
    assert role_of(Service("api-gateway", image="shop/postgres", is_built=True)) == "gateway"
    assert role_of(Service("db", is_built=True)) == "database"
    assert role_of(Service("redis", is_built=True)) == "cache"
    assert role_of(Service("web", image="nginx", is_built=True)) is None
