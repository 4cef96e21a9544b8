"""Detecting the proxy, and the service behind a name."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dartsctl.diagnosis import proxies
from dartsctl.diagnosis.facts import ContainerFacts, ServiceFacts
from dartsctl.errors import UsageError
from dartsctl.stack.model import PortEntry, Service, Stack


def stack(**services: tuple[str, tuple[int, ...]]) -> Stack:
    return Stack(
        "shop",
        {
            name: Service(
                name, image=image, ports=tuple(PortEntry(port, "tcp", str(port)) for port in ports)
            )
            for name, (image, ports) in services.items()
        },
        {},
    )


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        ("nginx:1.28-alpine", "nginx"),
        ("registry.example.org:5000/team/nginx-custom@sha256:00", "nginx"),
        ("openresty/openresty", "nginx"),
        ("lscr.io/linuxserver/swag", "nginx"),
        ("haproxy:3", "haproxy"),
        ("traefik:v3", "traefik"),
        ("caddy", "caddy"),
        ("httpd:2.4", "httpd"),
    ],
)
def test_a_proxy_is_known_by_its_image(image: str, kind: str) -> None:
    assert proxies.find_proxy(stack(db=("postgres", ()), edge=(image, (80,))), {}) == ("edge", kind)


@pytest.mark.parametrize(
    "image", ["nginx/nginx-prometheus-exporter", "postgres", "certbot/certbot", "my/engine-x"]
)
def test_an_image_that_only_resembles_a_proxy_is_none(image: str) -> None:
    assert proxies.find_proxy(stack(db=("postgres", ()), one=(image, (9113,))), {}) is None


def test_a_built_proxy_is_known_by_its_command() -> None:
    commands: Mapping[str, tuple[str, ...]] = {
        "edge": ("/docker-entrypoint.sh", "/usr/sbin/nginx", "-g", "daemon off;")
    }
    assert proxies.find_proxy(stack(app=("", (5000,)), edge=("", (80,))), commands) == (
        "edge",
        "nginx",
    )


def test_a_proxy_that_was_never_built_is_known_by_its_name() -> None:
    assert proxies.find_proxy(stack(app=("", (5000,)), nginx=("", (80,))), {}) == ("nginx", "nginx")


def test_of_two_proxies_the_published_one_is_the_entry() -> None:
    assert proxies.find_proxy(stack(static=("nginx", ()), edge=("nginx", (443,))), {}) == (
        "edge",
        "nginx",
    )


def test_the_only_service_with_an_entry_port_is_a_proxy_of_unknown_kind() -> None:
    assert proxies.find_proxy(stack(app=("app", (5000,)), door=("own", (80, 443))), {}) == (
        "door",
        "other",
    )
    assert proxies.find_proxy(stack(app=("app", (80,))), {}) is None, "a stack of one has no proxy"


def test_a_named_proxy_takes_precedence() -> None:
    assert proxies.find_proxy(
        stack(app=("app", ()), door=("own", ()), edge=("nginx", (80,))), {}, "door"
    ) == ("door", "other")
    with pytest.raises(UsageError, match="no service 'gate'"):
        proxies.find_proxy(stack(app=("app", ())), {}, "gate")


def services() -> dict[str, ServiceFacts]:
    container = ContainerFacts(
        "app",
        "darts-app",
        "1",
        networks={"front": "10.0.0.5"},
        names={"front": frozenset({"backend", "3f2a"})},
    )
    return {"app": ServiceFacts("app", (container,)), "db": ServiceFacts("db")}


@pytest.mark.parametrize(
    "host", ["app", "darts-app", "backend", "10.0.0.5", "shop-app-1", "shop_app_1"]
)
def test_a_service_is_found_behind_every_name_that_it_has(host: str) -> None:
    assert proxies.service_named(host, services(), "shop") == "app"


@pytest.mark.parametrize("host", ["", "example.org", "10.0.0.6", "shop-gone-1"])
def test_other_names_lead_out_of_the_stack(host: str) -> None:
    assert proxies.service_named(host, services(), "shop") == ""
