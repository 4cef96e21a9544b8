"""Which services a developer's server needs, and on which container ports it reaches them."""

from __future__ import annotations

from typing import Any

from dartsctl.discovery.dev_stack.needed_services import (
    dependents,
    services_for_development,
)
from dartsctl.stack.compose_model import read_stack
from dartsctl.stack.model import Stack


def needs(*names: str) -> dict[str, Any]:
    return {name: {"condition": "service_started", "required": True} for name in names}


def stack(**services: dict[str, Any]) -> Stack:
    return read_stack({"name": "shop", "services": services})


DARTS: dict[str, dict[str, Any]] = {
    "postgres": {"image": "postgres:16-alpine"},
    "rabbitmq": {"image": "rabbitmq:3.13-management-alpine"},
    "wso2is": {"image": "wso2/wso2is:7.0.0"},
    "api-gateway": {"build": {"context": "."}, "depends_on": needs("rabbitmq", "wso2is")},
    "darts-app": {
        "build": {"context": "."},
        "depends_on": needs("postgres", "rabbitmq", "wso2is"),
    },
    "nginx": {"image": "nginx:1.28", "depends_on": needs("darts-app", "api-gateway", "wso2is")},
}


def test_stores_and_brokers_are_started_and_what_stands_before_the_app_is_not() -> None:
    services = services_for_development(stack(**DARTS), ["darts-app"])
    assert services.started == ("postgres", "rabbitmq")
    assert services.left_out == {
        "wso2is": "identity provider",
        "api-gateway": "gateway",
        "darts-app": "runs on the host",
        "nginx": "proxy",
    }
    assert services.ports == {"postgres": (5432,), "rabbitmq": (5672,)}


def test_what_only_an_identity_provider_uses_stays_off_with_it() -> None:
    services = services_for_development(
        stack(
            app={
                "build": {"context": "."},
                "environment": {"DB_HOST": "db"},
                "depends_on": needs("keycloak"),
            },
            db={"image": "postgres"},
            keycloak={
                "image": "keycloak",
                "environment": {"KC_DB_URL": "jdbc:postgresql://keycloak-db:5432/keycloak"},
            },
            **{"keycloak-db": {"image": "postgres"}},
        ),
        ["app"],
    )
    assert services.started == ("db",)
    assert services.left_out["keycloak-db"] == "only for keycloak"


def test_a_service_that_needs_the_app_cannot_start_without_it() -> None:
    """A worker that waits for the app's migrations, and a tool that waits for the worker."""
    services = services_for_development(
        stack(
            app={"build": {"context": "."}, "depends_on": needs("redis")},
            redis={"image": "redis"},
            worker={"build": {"context": "."}, "depends_on": needs("app", "redis")},
            flower={"image": "mher/flower", "depends_on": needs("worker")},
        ),
        ["app"],
    )
    assert services.started == ("redis",)
    assert services.left_out["worker"] == "needs app"
    assert services.left_out["flower"].startswith("needs ")


def test_a_developers_file_keeps_its_tools_and_productions_file_does_not_bring_them() -> None:
    both = stack(
        app={"build": {"context": "."}, "depends_on": needs("db", "pdf")},
        db={"image": "postgres"},
        pdf={"image": "gotenberg/gotenberg:8", "ports": [{"target": 3000, "published": "3000"}]},
        adminer={"image": "adminer", "depends_on": needs("db")},
        mail={"image": "axllent/mailpit"},
    )
    of_dev = services_for_development(both, ["app"])
    assert of_dev.started == ("db", "pdf", "adminer", "mail")
    of_production = services_for_development(both, ["app"], of_production=True)
    assert of_production.started == ("db", "pdf", "mail")
    assert of_production.left_out["adminer"] == "not used by the app"
    assert of_production.ports == {"db": (5432,), "pdf": (3000,), "mail": (1025,)}


def test_without_a_known_app_a_developers_file_starts_all_of_its_services() -> None:
    plain = stack(
        site={"image": "ghcr.io/shop/site:1", "depends_on": needs("db")},
        db={"image": "mariadb"},
        proxy={"image": "traefik"},
    )
    assert services_for_development(plain, []).started == ("site", "db", "proxy")
    of_production = services_for_development(plain, [], of_production=True)
    assert of_production.started == ("db",)
    assert of_production.left_out["site"] == "not used by the app"


def test_the_app_says_which_ports_of_a_service_it_uses() -> None:
    services = services_for_development(
        stack(
            app={
                "build": {"context": "."},
                "environment": {
                    "QUEUE": "amqp://guest:guest@queue:5673/%2f",
                    "SEARCH": "http://search:7700",
                    "OTHER": "https://my-search.example.org:99/search:98",
                },
            },
            queue={"image": "rabbitmq"},
            search={"image": "ghcr.io/shop/search"},
        ),
        ["app"],
    )
    assert services.ports == {"queue": (5672, 5673), "search": (7700,)}


def test_dependents_follow_the_whole_chain() -> None:
    chain = stack(
        a={"image": "x"},
        b={"image": "x", "depends_on": needs("a")},
        c={"image": "x", "depends_on": needs("b")},
        d={"image": "x"},
    )
    assert dependents(chain, "a") == {"a", "b", "c"}
    assert dependents(chain, "d") == {"d"}
