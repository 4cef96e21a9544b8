"""The servers behind the proxy: connections to them from this host, and what they speak."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dartsctl.diagnosis.facts import Connect, HttpFacts, ServiceFacts, UpstreamFacts
from dartsctl.edges.http import get
from dartsctl.records import replace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import ThreadPoolExecutor

CONNECT_DEADLINE = 1.0
"""Seconds for a connection to an address of a service."""


def measured(
    upstream: UpstreamFacts,
    services: Mapping[str, ServiceFacts],
    answers: Sequence[HttpFacts],
    *,
    is_local: bool,
    pool: ThreadPoolExecutor,
) -> UpstreamFacts:
    """Return an upstream with what came of connections to it.

    Their result stays empty where this host has no route: with an engine that is not local.
    """
    connects = _connects(upstream, services)
    if is_local:
        connects = tuple(pool.map(_try, connects))
    upstream = replace(upstream, connects=connects)
    return replace(upstream, speaks=_spoken(upstream, answers))


def _connects(upstream: UpstreamFacts, services: Mapping[str, ServiceFacts]) -> tuple[Connect, ...]:
    """Return a connection to make to each address of the service."""
    port, connects = upstream.target.port, []
    if upstream.service in services and port:
        for container in services[upstream.service].running:
            connects += [Connect(container.name, address, port) for address in container.addresses]
    return tuple(connects)


def _try(connect: Connect) -> Connect:
    result = get.connect(connect.address, connect.port, deadline=CONNECT_DEADLINE)
    return replace(connect, result=result)


def _spoken(upstream: UpstreamFacts, answers: Sequence[HttpFacts]) -> Literal["", "http", "tls"]:
    """Return what an upstream's port speaks; asked only where it may be another protocol.

    A TLS port answers plain http with 400, and an http port answers uwsgi so; others close the
    connection (502, edge-cases.md#88).
    """
    failed = any(
        answer.target == str(upstream.target) and answer.status in (400, 502) for answer in answers
    )
    connect = next((row for row in upstream.tried if row.result == "open"), None)
    if not failed or connect is None:
        return ""
    address, port = connect.address, connect.port
    if get.speaks_tls(address, port, deadline=CONNECT_DEADLINE):
        return "tls"
    if {route.scheme for route in upstream.routes} <= {"http", "https"}:
        return ""
    answer = get.get(address, port, "/", host="localhost", tls=False, deadline=CONNECT_DEADLINE)
    return "http" if answer.status else ""
