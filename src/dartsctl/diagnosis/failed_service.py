"""The service that a line of nginx's error log is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis import proxies
from dartsctl.diagnosis.nginx.log import request_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dartsctl.diagnosis.facts import Facts
    from dartsctl.diagnosis.nginx.config import Route
    from dartsctl.diagnosis.nginx.log import LoggedFailure


def failed_service(failure: LoggedFailure, facts: Facts, remembered: Callable[[str], str]) -> str:
    """Return the service that should have answered; empty if it is not known.

    By the location of the request, else by the address. An address alone may be a stale one that
    another container has now. `remembered`: the service that had an address before.
    """
    routes: tuple[Route, ...] = ()
    if facts.proxy and facts.proxy.config:
        routes = facts.proxy.config.routes
    services = _services_of(_routes_for(request_path(failure.text), routes), facts)
    if len(services) == 1 and "" not in services:
        return services.pop()
    host = _host(failure.upstream) or failure.name
    if not host:
        return ""
    group = _services_of((route for route in routes if route.group == host), facts)
    if len(group) == 1 and "" not in group:
        return group.pop()
    return proxies.service_named(host, facts.services, facts.project) or remembered(host)


def _routes_for(path: str, routes: Iterable[Route]) -> list[Route]:
    """Return the routes that may take a path: the longest plain one, and every pattern."""
    plain: list[Route] = []
    others: list[Route] = []
    longest = 0
    for route in routes:
        kind, _, location = route.location.rpartition(" ")
        if not path or kind in ("~", "~*") or not location.startswith("/"):
            others.append(route)
        elif path == location or (kind != "=" and path.startswith(location)):
            if len(location) > longest:
                plain, longest = [], len(location)
            if len(location) == longest:
                plain.append(route)
    return plain + others


def _services_of(routes: Iterable[Route], facts: Facts) -> set[str]:
    """Return the services behind routes; an empty name where it is another server, or unknown."""
    services: set[str] = set()
    for route in routes:
        for target in route.targets:
            services.add(proxies.service_named(target.host, facts.services, facts.project))
        if not route.targets:
            services.add("")
    return services


def _host(upstream: str) -> str:
    """Return the host of `10.0.0.2:5000`, `[::1]:80` or `app`."""
    if upstream.startswith("["):
        return upstream[1:].partition("]")[0]
    return upstream.partition(":")[0]
