"""What a service is for, by its image: database, broker, proxy, identity provider and others.

The last part of an image's name decides; for an image that is built from the Compose files, the
service's own name. What is not in the tables has no role: nothing is guessed about it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from dartsctl.records import record
from dartsctl.stack.model import image_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dartsctl.stack.model import Service

Role = Literal["database", "broker", "cache", "mail catcher", "object store", "search engine"]
"""What a developer's server needs, and a machine may run twice."""

Outsider = Literal["proxy", "gateway", "identity provider"]
"""What stands before the app. A server on the host does without."""


@record
class ServiceKind:
    """What a kind of service is. `port`: where its clients connect, inside the container.

    `data`: the folders of the container that hold what it stores.
    """

    role: Role
    port: int
    data: tuple[str, ...] = ()


_POSTGRES = ServiceKind("database", 5432, ("/var/lib/postgresql", "/bitnami/postgresql"))
_MYSQL = ServiceKind("database", 3306, ("/var/lib/mysql", "/bitnami/mysql", "/bitnami/mariadb"))
_MONGO = ServiceKind("database", 27017, ("/data/db", "/bitnami/mongodb"))
_REDIS = ServiceKind("cache", 6379, ("/data", "/bitnami/redis", "/var/lib/redis"))
_RABBITMQ = ServiceKind("broker", 5672, ("/var/lib/rabbitmq", "/bitnami/rabbitmq"))
_KAFKA = ServiceKind("broker", 9092, ("/var/lib/kafka", "/bitnami/kafka", "/kafka"))
_ELASTIC = ServiceKind("search engine", 9200, ("/usr/share/elasticsearch/data",))
_OPENSEARCH = ServiceKind("search engine", 9200, ("/usr/share/opensearch/data",))
_MAIL = ServiceKind("mail catcher", 1025)

_KINDS: tuple[tuple[str, ServiceKind], ...] = (
    (r"postgres(?:ql)?|postgis|timescaledb(?:-ha)?|pgvector|pgvecto-rs|citus", _POSTGRES),
    (r"mysql|mysql-server|mariadb|percona|percona-server", _MYSQL),
    (r"mongo|mongodb|mongodb-community-server|mongodb-atlas-local", _MONGO),
    (r"mssql/server|azure-sql-edge", ServiceKind("database", 1433, ("/var/opt/mssql",))),
    (r"oracle-(?:xe|free)", ServiceKind("database", 1521, ("/opt/oracle/oradata",))),
    (r"cockroach", ServiceKind("database", 26257, ("/cockroach/cockroach-data",))),
    (r"cassandra", ServiceKind("database", 9042, ("/var/lib/cassandra",))),
    (r"scylla", ServiceKind("database", 9042, ("/var/lib/scylla",))),
    (r"neo4j", ServiceKind("database", 7687, ("/data",))),
    (r"couchdb", ServiceKind("database", 5984, ("/opt/couchdb/data",))),
    (r"influxdb", ServiceKind("database", 8086, ("/var/lib/influxdb", "/var/lib/influxdb2"))),
    (r"clickhouse(?:-server)?", ServiceKind("database", 8123, ("/var/lib/clickhouse",))),
    (r"qdrant", ServiceKind("database", 6333, ("/qdrant/storage",))),
    (r"chroma", ServiceKind("database", 8000, ("/data", "/chroma/chroma"))),
    (r"weaviate", ServiceKind("database", 8080, ("/var/lib/weaviate",))),
    (r"dynamodb-local", ServiceKind("database", 8000)),
    (r"redis|redis-stack(?:-server)?|valkey|keydb|dragonfly", _REDIS),
    (r"memcached", ServiceKind("cache", 11211)),
    (r"rabbitmq", _RABBITMQ),
    (r"kafka|cp-kafka|kafka-native|redpanda", _KAFKA),
    (r"zookeeper|cp-zookeeper", ServiceKind("broker", 2181, ("/var/lib/zookeeper", "/data"))),
    (r"nats|nats-streaming", ServiceKind("broker", 4222, ("/data",))),
    (r"eclipse-mosquitto|mosquitto", ServiceKind("broker", 1883, ("/mosquitto/data",))),
    (r"emqx|vernemq|hivemq-ce", ServiceKind("broker", 1883, ("/opt/emqx/data",))),
    (r"activemq(?:-classic)?", ServiceKind("broker", 61616, ("/opt/activemq/data",))),
    (r"(?:activemq-)?artemis", ServiceKind("broker", 61616, ("/var/lib/artemis-instance",))),
    (r"mailhog|mailpit|maildev|inbucket", _MAIL),
    (r"smtp4dev", ServiceKind("mail catcher", 25)),
    (r"minio", ServiceKind("object store", 9000, ("/data", "/bitnami/minio"))),
    (r"localstack(?:-pro)?", ServiceKind("object store", 4566, ("/var/lib/localstack",))),
    (r"azurite", ServiceKind("object store", 10000, ("/data",))),
    (r"fake-gcs-server", ServiceKind("object store", 4443, ("/data",))),
    (r"elasticsearch", _ELASTIC),
    (r"opensearch", _OPENSEARCH),
    (r"meilisearch", ServiceKind("search engine", 7700, ("/meili_data",))),
    (r"typesense", ServiceKind("search engine", 8108, ("/data",))),
    (r"solr", ServiceKind("search engine", 8983, ("/var/solr",))),
)

_IDENTITY_PROVIDER = (
    r"keycloak|wso2-?is|authelia|authentik|goauthentik/server|dex|hydra|kratos|zitadel|casdoor"
    r"|logto|fusionauth-app|gluu|identity-?server|idp"
)
_GATEWAY = (
    r"wso2-?a(?:pi)?m|kong|kong-gateway|apisix|tyk-gateway|krakend|graviteeio-.*|gateway"
    r"|api-?gateway|.*[-_]gateway"
)
_PROXY = (
    r"nginx|nginx-.*|.*-nginx|openresty|traefik|caddy|caddy-.*|haproxy|envoy|httpd|apache2?|swag"
    r"|proxy|reverse-?proxy|.*[-_]proxy|cloudflared"
)
_OUTSIDERS: tuple[tuple[str, Outsider], ...] = (
    (_IDENTITY_PROVIDER, "identity provider"),
    (_GATEWAY, "gateway"),
    (_PROXY, "proxy"),
)
_DATABASE_NAMES = r"db|database"


def kind_of(service: Service) -> ServiceKind | None:
    """Return what kind of store or mailbox a service is, None for any other service."""
    return _kind(names_of(service))


def _kind(names: Iterable[str]) -> ServiceKind | None:
    for name in names:
        for pattern, kind in _KINDS:
            if re.fullmatch(pattern, name):
                return kind
    return None


def _outsider(names: Iterable[str]) -> Outsider | None:
    for name in names:
        for pattern, outsider in _OUTSIDERS:
            if re.fullmatch(pattern, name):
                return outsider
    return None


def role_of_image(image: str) -> Role | Outsider | None:
    """Return what an image is for, None where its name does not say."""
    if kind := _kind(_image_names(image)):
        return kind.role
    return _outsider(_image_names(image))


def role_of(service: Service) -> Role | Outsider | None:
    """Return what a service is for, None where its image does not say."""
    if kind := kind_of(service):
        return kind.role
    if outsider := _outsider(names_of(service)):
        return outsider
    if service.is_built and re.fullmatch(_DATABASE_NAMES, service.name.lower()):
        return "database"
    return None


def is_outsider(service: Service) -> bool:
    """Return whether a service only stands before the app: proxy, gateway, identity provider."""
    return role_of(service) in ("proxy", "gateway", "identity provider")


def names_of(service: Service) -> tuple[str, ...]:
    """Return the names that say what a service is, the last two parts of the image first."""
    if service.is_built:
        return (service.name.lower(),)
    return _image_names(service.image)


def _image_names(image: str) -> tuple[str, ...]:
    """Return `wso2/wso2is` and `wso2is` of `registry:5000/wso2/wso2is:7.0.0@sha256:...`."""
    name = image_name(image)
    owner = image.partition("@")[0].lower().split("/")[:-1][-1:]
    return ("/".join([*owner, name]), name)
