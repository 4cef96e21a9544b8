"""Which requests a diagnosis sends: through every entry to every service, and to each directly."""

from __future__ import annotations

from typing import Any

import pytest

from dartsctl.diagnosis.facts import PublishedPort, ServiceFacts
from dartsctl.diagnosis.nginx.config import Config, Listen, Route, Server, Target
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.model import PortEntry, Service, Stack
from dartsctl.workflows.examine.requests import (
    ProxyLayout,
    plan_requests,
    request_for_url,
)
from fakes.stack_facts import ROUTE, container, down, service

APP = service("app", container("app"))


def web(*addresses: str, **more: Any) -> ServiceFacts:
    bound = tuple(PublishedPort(80, Endpoint(8080, address)) for address in addresses)
    return service("web", container("web", "10.0.0.3", bound=bound, **more))


def layout(
    *services: ServiceFacts, config: Config | None = None, routes: tuple[Route, ...] = (ROUTE,)
) -> ProxyLayout:
    usual = Config((Server((Listen(80),), routes=routes),))
    ports = (PortEntry(80, "tcp", "8080"),)
    stack = Stack("shop", {"web": Service("web", ports=ports)}, {})
    facts = {row.name: row for row in (APP, *services)}
    return ProxyLayout(stack, facts, "web", config or usual)


def urls(made: ProxyLayout) -> list[str]:
    return [request.url for request in plan_requests(made)]


def test_an_entry_is_requested_once_for_both_families_and_the_app_directly() -> None:
    assert urls(layout(web("0.0.0.0", "::"))) == [
        "http://127.0.0.1:8080/",
        "http://127.0.0.1:5000/",
    ]


def test_an_entry_on_ipv6_only_is_requested_there() -> None:
    assert urls(layout(web("::")))[0] == "http://[::1]:8080/"


def test_every_location_with_a_path_is_requested_first_those_that_lead_to_a_service() -> None:
    elsewhere = Route("/out", "http", (Target("example.org", 80),), False, "http://example.org")
    pattern = Route("~ ^/b/[0-9]+", "http", (Target("app", 5000),), False, "http://app:5000")
    exact = Route("= /health", "http", (Target("app", 5000),), False, "http://app:5000")
    made = layout(web("0.0.0.0"), routes=(elsewhere, pattern, exact, ROUTE))
    requests = [request for request in plan_requests(made) if request.through_proxy]
    assert [(request.path, request.upstream) for request in requests] == [
        ("/health", "app"),
        ("/", "app"),
        ("/out", ""),
    ]


def test_the_same_location_of_several_sites_is_requested_in_each() -> None:
    other = Route("/", "http", (Target("other", 5000),), False, "http://other:5000")
    servers = (
        Server((Listen(80),), ("a.example",), (), (ROUTE,)),
        Server((Listen(80),), ("b.example",), (), (other,)),
    )
    made = layout(web("0.0.0.0"), config=Config(servers))
    requests = [request for request in plan_requests(made) if request.through_proxy]
    assert [(row.host, row.path, row.target) for row in requests] == [
        ("a.example", "/", "app:5000"),
        ("b.example", "/", "other:5000"),
    ]


def route(location: str) -> Route:
    return Route(location, "http", (Target("app", 5000),), False, "http://app:5000")


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("~ ^/api", "/api"),
        ("~* ^/api/", "/api/"),
        ("~ ^/api/v1$", "/api/v1"),
        ("~ ^/api/(.*)$", "/api/"),
        (r"~ ^/feed\.xml$", "/feed.xml"),
    ],
)
def test_a_pattern_that_begins_with_a_plain_path_is_requested_there(
    pattern: str, path: str
) -> None:
    made = layout(web("0.0.0.0"), routes=(route(pattern),))
    requests = [request for request in plan_requests(made) if request.through_proxy]
    assert [(request.path, request.upstream) for request in requests] == [(path, "app")]


@pytest.mark.parametrize("hidden", ["@app", r"~ \.php$", "~ ^/(a|b)/", "~ (a+)+$"])
def test_a_location_without_a_path_is_requested_by_the_root(hidden: str) -> None:
    made = layout(web("0.0.0.0"), routes=(route("/api/"), route(hidden)))
    requests = [request for request in plan_requests(made) if request.through_proxy]
    assert [(request.path, request.upstream) for request in requests] == [
        ("/api/", "app"),
        ("/", ""),
    ]


def test_a_path_that_an_earlier_pattern_takes_or_may_take_is_not_requested_for_a_later_one() -> (
    None
):
    made = layout(web("0.0.0.0"), routes=(route("~ ^/api"), route("~ ^/api/v1"), route("/x")))
    assert [request.path for request in plan_requests(made) if request.through_proxy] == [
        "/api",
        "/x",
        "/",
    ]
    made = layout(web("0.0.0.0"), routes=(route(r"~ \.php$"), route("~ ^/api")))
    assert [request.path for request in plan_requests(made) if request.through_proxy] == ["/"]


def test_a_published_port_without_a_server_is_not_requested() -> None:
    config = Config((Server((Listen(8443),), routes=(ROUTE,)),))
    assert urls(layout(web("0.0.0.0"), config=config)) == ["http://127.0.0.1:5000/"]


def test_tls_is_used_where_the_server_has_it_with_the_name_of_the_server() -> None:
    server = Server((Listen(80, "", tls=True),), ("_", "*.shop", "shop.example"), (), (ROUTE,))
    request = plan_requests(layout(web("0.0.0.0"), config=Config((server,))))[0]
    assert (request.url, request.tls, request.host) == (
        "https://127.0.0.1:8080/",
        True,
        "shop.example",
    )


def test_a_proxy_that_is_down_is_requested_by_its_compose_file() -> None:
    assert urls(layout(service("web", down("web"))))[0] == "http://127.0.0.1:8080/"


def test_a_proxy_on_the_host_s_network_is_requested_on_its_own_ports() -> None:
    front = container("web", bound=(), wanted=(), network_mode="host")
    made = layout(service("web", front))
    made = ProxyLayout(Stack("shop", {}, {}), made.services, "web", made.config)
    assert urls(made)[0] == "http://127.0.0.1:80/"


def test_the_number_of_requests_is_limited() -> None:
    routes = tuple(
        Route(f"/{number}", "http", (Target("app", 5000),), False, "x") for number in range(99)
    )
    made = layout(web("0.0.0.0"), routes=routes)
    assert len([request for request in plan_requests(made) if request.through_proxy]) == 8


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://shop.example/a?b=c", ("shop.example", 443, "/a?b=c", True)),
        ("http://shop.example", ("shop.example", 80, "/", False)),
        ("http://shop.example:81/", ("shop.example", 81, "/", False)),
    ],
)
def test_the_named_url_is_requested_as_it_is(
    url: str, expected: tuple[str, int, str, bool]
) -> None:
    request = request_for_url(url, layout(web("0.0.0.0")))
    assert (request.url, request.service, request.through_proxy) == (url, "web", True)
    assert (request.host, request.port, request.path, request.tls) == expected


def hosts(*servers: Server) -> list[tuple[str, str]]:
    """Return host and path of the requests through the proxy."""
    made = layout(web("0.0.0.0"), config=Config(servers))
    return [(row.host, row.path) for row in plan_requests(made) if row.through_proxy]


def test_what_the_site_closes_on_purpose_is_not_requested() -> None:
    closed = Server((Listen(80),), ("_",), drops=True)
    assert hosts(closed, Server((Listen(80),), ("shop.example",), (), (ROUTE,))) == [
        ("shop.example", "/")
    ]
    assert hosts(closed, Server((Listen(80),), ("~^a",), (), (ROUTE,))) == []
    assert hosts(Server((Listen(80),), (), (), (route("@app"),), drops=True)) == []


def test_a_closed_server_that_is_not_the_default_one_keeps_no_request_away() -> None:
    closed = Server((Listen(80),), ("a.example",), drops=True)
    default = Listen(80, is_default=True)
    assert hosts(closed, Server((default,), ("_",), (), (ROUTE,))) == [("localhost", "/")]


@pytest.mark.parametrize(
    ("names", "host"),
    [(("*.shop",), "www.shop"), ((".shop",), "shop"), (("*.shop", "b.shop"), "b.shop")],
)
def test_a_server_is_asked_by_a_name_that_it_answers_to(names: tuple[str, ...], host: str) -> None:
    assert hosts(Server((Listen(80),), names, (), (ROUTE,))) == [(host, "/")]


def test_an_entry_with_the_proxy_protocol_is_requested_in_it() -> None:
    server = Server((Listen(80, proxy_protocol=True),), (), (), (ROUTE,))
    made = layout(web("0.0.0.0"), config=Config((server,)))
    assert [row.proxy_protocol for row in plan_requests(made)] == [True, False]
