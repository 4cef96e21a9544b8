"""Where a stack answers that is up: URLs, and places of ports that speak no http."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.edges.http import get
from dartsctl.records import record
from dartsctl.stack.bindings import LOOPBACK_IPV4, reachable_address
from dartsctl.stack.inside_ports import published_targets
from dartsctl.stack.site_urls import site_place, site_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import ThreadPoolExecutor

    from dartsctl.stack.containers import Container
    from dartsctl.workflows.preflight.preflight import Preflight

_DEADLINE = 1.0
"""Seconds for one request."""
_MOST_ASKED = 12
_TLS_TARGETS = frozenset({443, 8443, 9443})
_OLD_PROTOCOLS = (21, 22, 23, 25, 53, 110, 143, 389, 465, 587, 636, 993, 995)
_DATABASES = (1433, 1521, 3306, 5432, 6379, 6380, 6432, 9042, 11211, 26379, 27017, 33060)
_QUEUES = (1883, 2181, 4222, 4369, 5671, 5672, 8883, 9092, 9093, 25672)
_NO_HTTP = frozenset((*_OLD_PROTOCOLS, *_DATABASES, *_QUEUES))
"""Container ports that are never asked: a request there would only fill a log."""


@record
class StackUrls:
    """The URLs at which published ports answered, and the places of the other ones."""

    urls: tuple[str, ...] = ()
    places: tuple[str, ...] = ()


@record
class _Published:
    address: str
    port: int
    target: int


def ask_ports(
    before: Preflight, containers: Sequence[Container], without: str, pool: ThreadPoolExecutor
) -> StackUrls:
    """Ask each published tcp port for `/`, once, and return where a browser gets an answer.

    The proxy's service (`without`) is left out. So is an engine elsewhere: its ports are not here.
    """
    rules = before.engine
    if not rules.is_here and rules.kind != "desktop":
        return StackUrls()
    published = list(_published(before, containers, without))
    asked = [each for each in published if each.target not in _NO_HTTP][:_MOST_ASKED]
    answers = dict(zip(asked, pool.map(_url, asked), strict=True))
    urls = [url for url in answers.values() if url]
    places = [site_place(each.address, each.port) for each in published if not answers.get(each)]
    return StackUrls(tuple(urls), tuple(dict.fromkeys(places)))


def _published(
    before: Preflight, containers: Sequence[Container], without: str
) -> Iterator[_Published]:
    """Yield each published tcp port once, IPv4 before IPv6; rows of many ports are left out."""
    known: set[tuple[str, int]] = set()
    for container in containers:
        service = before.stack.services[container.service]
        targets = published_targets(service)
        if container.service == without:
            continue
        for endpoint, target in sorted(container.targets, key=lambda pair: pair[0].is_ipv6):
            key = (container.id, endpoint.port)
            if endpoint.protocol == "tcp" and target in targets and key not in known:
                known.add(key)
                yield _Published(endpoint.address, endpoint.port, target)


def _url(published: _Published) -> str:
    """Return the URL at which a port answers, empty if it speaks no http.

    A TLS port answers plain http with 400, or closes.
    """
    if published.target in _TLS_TARGETS:
        tls = _answers(published, tls=True)
        plain = tls or _answers(published, tls=False)
    else:
        plain = _answers(published, tls=False)
        tls = plain in (None, 400) and _answers(published, tls=True)
    if not tls and not plain:
        return ""
    return site_url(published.address, published.port, tls=bool(tls))


def _answers(published: _Published, *, tls: bool) -> int | None:
    """Return the status of the answer to one request, None if there is none."""
    address = reachable_address(published.address) or LOOPBACK_IPV4
    port = published.port
    return get.get(address, port, "/", host="localhost", tls=tls, deadline=_DEADLINE).status
