"""The paths from a running proxy to the running services behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts, ProxyFacts, ServiceFacts, UpstreamFacts

SLACK = 1.5
"""Seconds. The engine's clock is known only to the second where its times meet ours."""


@record
class ProxyPath:
    """One upstream of the proxy whose service runs."""

    position: int
    """The upstream's index in the facts."""
    upstream: UpstreamFacts
    service: ServiceFacts
    proxy: ProxyFacts
    front: ServiceFacts
    """The proxy as a service."""


def paths(facts: Facts) -> Iterator[ProxyPath]:
    """Yield each upstream where the proxy and the service behind it run."""
    proxy, front = facts.proxy, facts.proxy_service
    if proxy is None or front is None or not front.running:
        return
    for position, upstream in enumerate(facts.upstreams):
        service = facts.services.get(upstream.service)
        if service and service.running and upstream.service != proxy.service:
            yield ProxyPath(
                position=position, upstream=upstream, service=service, proxy=proxy, front=front
            )
