"""The proxy asks a service on the port that is published on the host, not on the container's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.bad_answers import bad_answers
from dartsctl.diagnosis.container_state import is_loopback
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.nginx.log import FailureCount, NginxFailure
from dartsctl.diagnosis.proxy_routes import (
    correction,
    front,
    passes,
    passing_to,
    route_trouble,
    shares_host,
)
from dartsctl.diagnosis.repairs import by_hand
from dartsctl.diagnosis.wrong_ports import WrongPort, wrong_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts, UpstreamFacts
    from dartsctl.diagnosis.trouble import Trouble

CAUSE = Cause.PUBLISHED_PORT


def detect(facts: Facts) -> Iterator[Trouble]:
    for mistake in wrong_ports(facts):
        if mistake.published_for is not None:
            yield _trouble(mistake, mistake.published_for, facts)
    proxy = front(facts)
    if proxy is None or shares_host(proxy):
        return
    for answer in bad_answers(facts):
        upstream, failure = answer.upstream, answer.last(NginxFailure.REFUSED)
        if upstream and failure and not upstream.service:
            yield from _on_the_host(upstream, failure, facts)


def _trouble(mistake: WrongPort, target: int, facts: Facts) -> Trouble:
    upstream, service = mistake.upstream, mistake.service.name
    port = upstream.target.port
    proxy = facts.proxy.service if facts.proxy else ""
    return route_trouble(
        CAUSE,
        upstream,
        facts,
        sentence=(
            f"{proxy} passes {passes(upstream)} on to {upstream.target}, but {port} is the port "
            f"that {service} has on the host; inside the network {service} listens on {target}"
        ),
        command=correction(upstream, passing_to(upstream, upstream.target.host, target), facts),
        text=f"nothing listens on {port} in {mistake.container.name} (open: {mistake.open_ports})",
        failure=mistake.failure(facts),
        data={"port": port, "container_port": target},
    )


def _on_the_host(upstream: UpstreamFacts, failure: FailureCount, facts: Facts) -> Iterator[Trouble]:
    """Yield the trouble of a port of this host that is published on its loopback address only."""
    for name, service in facts.services.items():
        for place in (place for container in service.running for place in container.bound):
            endpoint = place.endpoint
            if endpoint.port != upstream.target.port or not is_loopback(endpoint):
                continue
            proxy = facts.proxy.service if facts.proxy else ""
            yield route_trouble(
                CAUSE,
                upstream,
                facts,
                sentence=(
                    f"{proxy} passes {passes(upstream)} on to {upstream.target}, but {name} has "
                    f"that port on {endpoint.address} of the host only; inside the network {name} "
                    f"listens on {place.target}"
                ),
                command=correction(upstream, passing_to(upstream, name, place.target), facts),
                text=f"{upstream.target} refuses connections",
                failure=failure,
                confidence="likely",
                data={"port": endpoint.port, "container_port": place.target},
            )
            return


repair = by_hand
