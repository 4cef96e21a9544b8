"""Which variables well-known images set their own password from, when they start without data.

Such a password belongs to the stack: it may be chosen anew as long as there is no data yet.
Sources: the images' pages on Docker Hub, and the documentation of the programs.
"""

from __future__ import annotations

import re

from dartsctl.stack.model import image_name
from dartsctl.text.secret_names import word_set

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_IMAGES: tuple[tuple[re.Pattern[str], frozenset[str]], ...] = (
    (
        re.compile(r"postgres|postgis|timescale|pgvector|paradedb"),
        word_set(
            "POSTGRES_PASSWORD POSTGRESQL_PASSWORD POSTGRESQL_POSTGRES_PASSWORD "
            "POSTGRESQL_REPLICATION_PASSWORD"
        ),
    ),
    (
        re.compile(r"mysql|mariadb|percona"),
        word_set("MYSQL_ROOT_PASSWORD MYSQL_PASSWORD MARIADB_ROOT_PASSWORD MARIADB_PASSWORD"),
    ),
    (
        re.compile(r"mssql|azure-sql-edge"),
        word_set("MSSQL_SA_PASSWORD SA_PASSWORD"),
    ),
    (
        re.compile(r"mongo-express"),
        word_set("ME_CONFIG_BASICAUTH_PASSWORD"),
    ),
    (
        re.compile(r"mongo"),
        word_set("MONGO_INITDB_ROOT_PASSWORD MONGODB_ROOT_PASSWORD MONGODB_PASSWORD"),
    ),
    (
        re.compile(r"rabbitmq"),
        word_set("RABBITMQ_DEFAULT_PASS RABBITMQ_PASSWORD RABBITMQ_ERLANG_COOKIE"),
    ),
    (re.compile(r"activemq|artemis"), word_set("ARTEMIS_PASSWORD ACTIVEMQ_ADMIN_PASSWORD")),
    (re.compile(r"emqx"), word_set("EMQX_DASHBOARD__DEFAULT_PASSWORD")),
    (re.compile(r"redis|valkey|keydb|dragonfly"), word_set("REDIS_PASSWORD VALKEY_PASSWORD")),
    (re.compile(r"minio"), word_set("MINIO_ROOT_PASSWORD MINIO_SECRET_KEY")),
    (
        re.compile(r"influxdb"),
        word_set("DOCKER_INFLUXDB_INIT_PASSWORD DOCKER_INFLUXDB_INIT_ADMIN_TOKEN"),
    ),
    (re.compile(r"clickhouse"), word_set("CLICKHOUSE_PASSWORD")),
    (re.compile(r"couchdb"), word_set("COUCHDB_PASSWORD")),
    (re.compile(r"elasticsearch"), word_set("ELASTIC_PASSWORD")),
    (re.compile(r"meilisearch"), word_set("MEILI_MASTER_KEY")),
    (re.compile(r"typesense"), word_set("TYPESENSE_API_KEY")),
    (re.compile(r"grafana"), word_set("GF_SECURITY_ADMIN_PASSWORD")),
    (re.compile(r"pgadmin"), word_set("PGADMIN_DEFAULT_PASSWORD")),
    (re.compile(r"keycloak"), word_set("KEYCLOAK_ADMIN_PASSWORD KC_BOOTSTRAP_ADMIN_PASSWORD")),
    (re.compile(r"wso2is"), word_set("WSO2_ADMIN_PASSWORD")),  # of the bundled stack's own settings
)
"""The first row whose pattern is in the image's name counts."""

_OPTIONS: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = (
    (
        re.compile(r"redis|valkey|keydb|dragonfly"),
        re.compile(r"--?(?:requirepass)[ =]+[\"']?([^\s\"']+)"),
    ),
    (re.compile(r"nats"), re.compile(r"--pass[ =]+[\"']?([^\s\"']+)")),
)
"""Passwords of a command line, which no data remembers."""


def initial_variables(image: str) -> frozenset[str]:
    """Return the variables of a container that its image sets a password from."""
    name = image_name(image)
    for pattern, variables in _IMAGES:
        if pattern.search(name) and not _is_helper(name):
            return variables
    return frozenset()


def password_options(image: str, command: str) -> Iterator[str]:
    """Yield the passwords that a server of this image has on its command line."""
    name = image_name(image)
    for pattern, option in _OPTIONS:
        if pattern.search(name) and not _is_helper(name):
            for match in option.finditer(command):
                yield match[1]


def _is_helper(name: str) -> bool:
    """Whether an image only connects to such a server: an exporter, a backup, a web interface."""
    words = word_set("exporter backup dump commander insight ui web-ui restore migrate")
    return not words.isdisjoint(re.split(r"[^a-z0-9]+", name))
