"""The service that a line of nginx's error log is about."""

from __future__ import annotations

import pytest

from dartsctl.diagnosis.facts import Facts
from dartsctl.diagnosis.failed_service import failed_service
from dartsctl.diagnosis.nginx.config import Config, Listen, Route, Server, Target
from dartsctl.diagnosis.nginx.log import LoggedFailure, NginxFailure
from dartsctl.records import replace
from fakes.stack_facts import container, facts, service


def route(location: str, *hosts: str, group: str = "") -> Route:
    targets = tuple(Target(host, 5000) for host in hosts)
    return Route(location, "http", targets, False, "", group=group)


def stack(*routes: Route) -> Facts:
    known = facts(
        service("api", container("api", "10.0.0.4")),
        service("redis", container("redis", "10.0.0.5")),
    )
    assert known.proxy
    config = Config((Server((Listen(80),), routes=routes),))
    return replace(known, proxy=replace(known.proxy, config=config))


def line(path: str = "", upstream: str = "", name: str = "") -> LoggedFailure:
    text = "connect() failed (111: Connection refused) while connecting to upstream, client: x"
    if path:
        text += f', request: "GET {path} HTTP/1.1"'
    return LoggedFailure(NginxFailure.REFUSED, text, upstream=upstream, name=name)


TWO = (route("/", "app"), route("/api", "api"))


@pytest.mark.parametrize(
    ("routes", "failure", "expected"),
    [
        (TWO, line("/"), "app"),
        (TWO, line("/api/users?page=2"), "api"),
        ((route("= /api", "api"), route("/", "app")), line("/api"), "api"),
        ((route("= /api", "api"), route("/", "app")), line("/api/more"), "app"),
        ((route("^~ /api", "api"), route("/", "app")), line("/api/more"), "api"),
        # an address that another container has now is a stale one
        (TWO, line("/", "10.0.0.5:5000"), "app"),
        # a pattern may take the path, several servers may get it: the address decides
        ((*TWO, route("~ [.]php$", "redis")), line("/x", "10.0.0.2:5000"), "app"),
        ((route("/", "app", "api"),), line("/", "10.0.0.4:5000"), "api"),
        ((route("/", "app", "api"),), line("/", "api:5000"), "api"),
        ((route("/", "app", "api"),), line("/", "10.0.0.9:5000"), "gone"),
        ((route("/", "app", "api"),), line("/", "[fd00::9]:5000"), ""),
        # a line without a request, such as that of a health check or a resolver
        (TWO, line(upstream="10.0.0.4:5000"), "api"),
        (TWO, line(name="api"), "api"),
        ((route("/", "app"),), line(upstream="10.0.0.77:5000"), "app"),
        ((route("/", "app", group="backend"), route("/api", "api")), line("", "backend"), "app"),
        # a server outside of the stack, a variable of the request
        ((route("/", "example.com"),), line("/", "93.184.216.34:443"), ""),
        ((route("/"),), line("/", "10.0.0.4:5000"), "api"),
        ((), line("/", "10.0.0.4:5000"), "api"),
        ((), line(), ""),
    ],
)
def test_the_location_decides_then_the_address(
    routes: tuple[Route, ...], failure: LoggedFailure, expected: str
) -> None:
    remembered = {"10.0.0.9": "gone"}
    service = failed_service(failure, stack(*routes), lambda host: remembered.get(host, ""))
    assert service == expected


def test_without_a_configuration_the_address_decides() -> None:
    known = replace(stack(), proxy=None)
    assert failed_service(line("/", "10.0.0.4:5000"), known, lambda _: "") == "api"
