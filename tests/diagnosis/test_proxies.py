"""Detecting the proxy, and the service behind a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from dartsctl.diagnosis import proxies
from dartsctl.diagnosis.facts import ContainerFacts, ServiceFacts
from dartsctl.diagnosis.nginx.config import Config, Listen, Route, Server, Target
from dartsctl.diagnosis.proxies import ProxyClues
from dartsctl.errors import UsageError
from dartsctl.stack.model import PortEntry, Service, Stack

NGINX_RUNS = ("/docker-entrypoint.sh", "nginx", "-g", "daemon off;")
STATIC = Config((Server((Listen(80),)),))


def passing_to(*places: str) -> Config:
    """Return nginx's configuration with one location for each `host:port`, or a variable."""
    routes = []
    for place in places:
        host, _, port = place.rpartition(":")
        targets = (Target(host, int(port)),) if port.isdigit() else ()
        routes.append(Route("/", "http", targets, not targets, f"http://{place}"))
    return Config((Server((Listen(80),), routes=tuple(routes)),))


def svc(image: str, *ports: str, **more: Any) -> dict[str, Any]:
    """Return a service; a port is `published:target`, or one number for both."""
    entries = []
    for port in ports:
        published, _, target = port.rpartition(":")
        entries.append(PortEntry(int(target), "tcp", published or target))
    return {"image": image, "ports": tuple(entries), **more}


def stack(**services: dict[str, Any]) -> Stack:
    made = {name: Service(name, **fields) for name, fields in services.items()}
    return Stack("shop", made, {})


def proxy_of(
    made: Stack,
    commands: Mapping[str, tuple[str, ...]] | None = None,
    configs: Mapping[str, Config] | None = None,
    wanted: str = "",
) -> tuple[str, str] | None:
    return proxies.find_proxy(made, ProxyClues(commands or {}, configs or {}, {}), wanted)


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        ("nginx:1.28-alpine", "nginx"),
        ("registry.example.org:5000/team/nginx-custom@sha256:00", "nginx"),
        ("nginxinc/nginx-unprivileged", "nginx"),
        ("openresty/openresty", "nginx"),
        ("lscr.io/linuxserver/swag", "nginx"),
        ("nginxproxy/nginx-proxy:alpine", "nginx"),
        ("jwilder/nginx-proxy", "nginx"),
        ("jc21/nginx-proxy-manager", "nginx"),
        ("bitnami/nginx", "nginx"),
        ("haproxy:3", "haproxy"),
        ("haproxytech/haproxy-alpine", "haproxy"),
        ("traefik:v3", "traefik"),
        ("caddy", "caddy"),
        ("lucaslorentz/caddy-docker-proxy", "caddy"),
        ("envoyproxy/envoy:v1.30", "envoy"),
        ("httpd:2.4", "httpd"),
    ],
)
def test_a_proxy_is_known_by_its_image(image: str, kind: str) -> None:
    assert proxy_of(stack(db=svc("postgres"), edge=svc(image, "80"))) == ("edge", kind)


@pytest.mark.parametrize(
    "image",
    [
        "nginx/nginx-prometheus-exporter",
        "prom/haproxy-exporter",
        "nginxproxy/docker-gen",
        "nginxproxy/acme-companion",
        "jrcs/letsencrypt-nginx-proxy-companion",
        "thomseddon/traefik-forward-auth",
        "ldez/traefik-certs-dumper",
        "certbot/certbot",
        "apache/superset",
        "apache/kafka",
        "postgres",
        "my/engine-x",
    ],
)
def test_an_image_that_only_resembles_a_proxy_is_none(image: str) -> None:
    assert proxy_of(stack(db=svc("postgres"), nginx=svc(image, "9113"))) is None


@dataclass(frozen=True)
class Case:
    """A stack with what is known of its containers, and its proxy."""

    id: str
    made: Stack
    proxy: tuple[str, str] | None
    commands: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    configs: Mapping[str, Config] = field(default_factory=dict)


TABLE = (
    Case(
        "a small file server of busybox before nginx in the alphabet",
        stack(
            keyserver=svc("acme/busybox:1", "23210:8080"),
            nginx=svc("acme/nginx:1", "23211:80", depends_on=("keyserver",)),
        ),
        ("nginx", "nginx"),
        {"keyserver": ("busybox", "httpd", "-f", "-p", "8080", "-h", "/etc")},
    ),
    Case(
        "the same file server started by a shell, nginx not created yet",
        stack(keyserver=svc("alpine", "8080"), nginx=svc("acme/nginx:1", "23211:80")),
        ("nginx", "nginx"),
        {"keyserver": ("sh", "-c", "exec httpd -f -p 8080 -h /etc")},
    ),
    Case(
        "a file server of busybox on port 80 is no proxy of its own kind",
        stack(app=svc("acme/app"), files=svc("busybox", "80")),
        ("files", "other"),
        {"files": ("httpd", "-f", "-p", "80")},
    ),
    Case(
        "an app with nginx inside, that passes to itself, beside the real nginx",
        stack(app=svc("tiangolo/uwsgi-nginx-flask", "8080:80"), web=svc("nginx", "443")),
        ("web", "nginx"),
        configs={"app": passing_to("127.0.0.1:9000"), "web": passing_to("app:80")},
    ),
    Case(
        "the same, where both publish entries and the app was built as nginx",
        stack(app=svc("acme/nginx-app", "80"), edge=svc("acme/nginx-edge", "443")),
        ("edge", "nginx"),
        configs={"app": passing_to("localhost:9000"), "edge": passing_to("app:80")},
    ),
    Case(
        "an app with nginx inside and no other proxy",
        stack(app=svc("trafex/php-nginx", "80:8080"), db=svc("postgres")),
        ("app", "nginx"),
    ),
    Case(
        "an nginx with static files only, beside traefik",
        stack(assets=svc("nginx", "8081:80"), traefik=svc("traefik:v3", "80", "443")),
        ("traefik", "traefik"),
        configs={"assets": STATIC},
    ),
    Case(
        "an inner static nginx and the outer one, both on port 80 inside",
        stack(admin=svc("nginx", "8081:80"), outer=svc("nginx", "8080:80")),
        ("outer", "nginx"),
        configs={"admin": STATIC, "outer": passing_to("admin:80")},
    ),
    Case(
        "of two nginx that pass on, the published one",
        stack(cache=svc("nginx"), edge=svc("nginx", "443"), app=svc("acme/app")),
        ("edge", "nginx"),
        configs={"cache": passing_to("app:80"), "edge": passing_to("cache:80")},
    ),
    Case(
        "of two nginx whose configurations are unknown, the published one",
        stack(assets=svc("nginx"), edge=svc("nginx", "443")),
        ("edge", "nginx"),
    ),
    Case(
        "of two published nginx, the one on the site's port",
        stack(admin=svc("nginx", "8081:80"), site=svc("nginx", "80")),
        ("site", "nginx"),
    ),
    Case(
        "traefik before an nginx that passes to php",
        stack(nginx=svc("nginx"), php=svc("php:8-fpm"), edge=svc("traefik", "80", "443")),
        ("edge", "traefik"),
        configs={"nginx": passing_to("php:9000")},
    ),
    Case(
        "nginx before php-fpm",
        stack(app=svc("php:8.3-fpm"), web=svc("nginx:alpine", "8080:80", depends_on=("app",))),
        ("web", "nginx"),
        {"app": ("docker-php-entrypoint", "php-fpm"), "web": NGINX_RUNS},
    ),
    Case(
        "php's apache before an nginx that is the proxy",
        stack(app=svc("php:8-apache", "8081:80"), web=svc("nginx", "80")),
        ("web", "nginx"),
        {"app": ("docker-php-entrypoint", "apache2-foreground")},
    ),
    Case(
        "apache's own image as an app behind nginx",
        stack(app=svc("httpd:2.4", "8081:80"), web=svc("nginx", "8080:80")),
        ("web", "nginx"),
        configs={"web": passing_to("app:80")},
    ),
    Case(
        "nginx-proxy with its companions",
        stack(
            acme=svc("nginxproxy/acme-companion"),
            dockergen=svc("nginxproxy/docker-gen"),
            proxy=svc("nginxproxy/nginx-proxy", "80", "443"),
        ),
        ("proxy", "nginx"),
        {"proxy": ("/app/docker-entrypoint.sh", "forego", "start", "-r")},
    ),
    Case(
        "swag before nginx images of apps",
        stack(blog=svc("acme/nginx-blog"), swag=svc("lscr.io/linuxserver/swag", "443")),
        ("swag", "nginx"),
        {"swag": ("/init",)},
    ),
    Case(
        "openresty beside an exporter with a published port",
        stack(
            exporter=svc("nginx/nginx-prometheus-exporter", "9113"),
            gate=svc("openresty/openresty", "8443"),
        ),
        ("gate", "nginx"),
    ),
    Case(
        "a service that is only called nginx",
        stack(app=svc("acme/app", "5000"), nginx=svc("python:3.12", "8000")),
        None,
        {"nginx": ("python", "-m", "http.server")},
    ),
    Case(
        "a service called nginx with another image, beside caddy",
        stack(nginx=svc("acme/landing", "8081:80"), web=svc("caddy:2", "443")),
        ("web", "caddy"),
    ),
    Case(
        "a service called web with nginx's image, beside an app called proxy",
        stack(proxy=svc("acme/socks", "1080"), web=svc("nginx", "80")),
        ("web", "nginx"),
    ),
    Case(
        "a built service called nginx that runs something else",
        stack(app=svc("", "5000"), nginx=svc("shop-nginx", "8000")),
        None,
        {"nginx": ("python3", "server.py")},
    ),
    Case(
        "a built proxy, by its program",
        stack(app=svc("", "5000"), edge=svc("", "80")),
        ("edge", "nginx"),
        {"edge": ("/docker-entrypoint.sh", "/usr/sbin/nginx", "-g", "daemon off;")},
    ),
    Case(
        "a built proxy, by a program in a shell's text",
        stack(app=svc("", "5000"), edge=svc("", "3000")),
        ("edge", "nginx"),
        {
            "edge": (
                *("tini", "--", "/bin/sh", "-c"),
                "envsubst < /t > /etc/nginx/nginx.conf && exec nginx -g 'daemon off;'",
            )
        },
    ),
    Case(
        "a proxy that waits for its app and then starts",
        stack(app=svc("", "5000"), edge=svc("", "80")),
        ("edge", "haproxy"),
        {"edge": ("/wait-for-it.sh", "app:5000", "--", "haproxy", "-f", "/haproxy.cfg")},
    ),
    Case(
        "a proxy that was never built, by its name",
        stack(app=svc("", "5000"), nginx=svc("", "80")),
        ("nginx", "nginx"),
    ),
    Case(
        "nginx's image that only sleeps, beside the one that serves",
        stack(debug=svc("nginx", "80"), web=svc("nginx", "8080:80")),
        ("web", "nginx"),
        {"debug": ("/docker-entrypoint.sh", "sleep", "600"), "web": NGINX_RUNS},
    ),
    Case(
        "caddy as a file server beside nginx",
        stack(docs=svc("caddy", "8080:80"), web=svc("nginx", "8081:80")),
        ("web", "nginx"),
        {"docs": ("caddy", "file-server", "--root", "/srv")},
    ),
    Case(
        "a proxy of an image of its own, by its configuration",
        stack(app=svc("acme/app"), gate=svc("acme/gate", "80"), help=svc("acme/help", "8081:80")),
        ("gate", "nginx"),
        {"gate": ("/start.sh",)},
        {"gate": passing_to("app:5000")},
    ),
    Case(
        "the only service with port 80 or 443 is a proxy of unknown kind",
        stack(app=svc("acme/app", "5000"), door=svc("own", "80", "443")),
        ("door", "other"),
    ),
    Case(
        "an own door before an nginx that nothing leads to",
        stack(assets=svc("nginx"), door=svc("acme/door", "443")),
        ("door", "other"),
        configs={"assets": STATIC},
    ),
    Case("a stack of one app has no proxy", stack(app=svc("app", "80")), None),
    Case(
        "a proxy on the host's network publishes nothing",
        stack(app=svc("acme/app", "5000"), web=svc("nginx", network_mode="host")),
        ("web", "nginx"),
        configs={"web": passing_to("127.0.0.1:5000")},
    ),
    Case(
        "a proxy whose names depend on the request",
        stack(assets=svc("nginx", "8081:80"), web=svc("nginx", "8082:80")),
        ("web", "nginx"),
        configs={"assets": STATIC, "web": passing_to("$backend")},
    ),
    Case(
        "a proxy that is scaled to nothing beside the one that runs",
        stack(old=svc("nginx", "80", replicas=0), web=svc("traefik", "8080:80")),
        ("web", "traefik"),
    ),
    Case("no proxy at all", stack(app=svc("acme/app", "5000"), db=svc("postgres", "5432")), None),
)


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.id)
def test_the_proxy_is_found_by_its_evidence_not_by_its_name(case: Case) -> None:
    assert proxy_of(case.made, case.commands, case.configs) == case.proxy


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.id)
def test_the_order_of_the_services_decides_nothing(case: Case) -> None:
    services = dict(reversed(list(case.made.services.items())))
    made = Stack(case.made.project, services, {})
    assert proxy_of(made, case.commands, case.configs) == case.proxy


def test_configurations_are_read_only_where_there_is_a_choice() -> None:
    def read(made: Stack, **commands: tuple[str, ...]) -> tuple[str, ...]:
        return proxies.to_read(made, ProxyClues(commands, {}, {}))

    assert read(stack(app=svc("acme/app", "5000"), web=svc("nginx", "80"))) == ()
    assert read(stack(app=svc("acme/app", "5000"), edge=svc("traefik", "80"))) == ()
    assert read(stack(a=svc("acme/my-nginx"), b=svc("nginx", "80"))) == ("b", "a")
    assert read(stack(app=svc("acme/app"), door=svc("own", "80"))) == ("door",)
    assert read(stack(a=svc("acme/my-nginx"), door=svc("own", "443"))) == ("a", "door")
    many = {f"n{number}": svc("nginx", "80") for number in range(9)}
    assert len(read(stack(**many))) == 4


def test_a_named_proxy_takes_precedence() -> None:
    made = stack(app=svc("app"), door=svc("own"), edge=svc("nginx", "80"))
    assert proxy_of(made, wanted="door") == ("door", "other")
    with pytest.raises(UsageError, match="no service 'gate'"):
        proxy_of(stack(app=svc("app")), wanted="gate")


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
