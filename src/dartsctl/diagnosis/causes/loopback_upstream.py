"""The proxy passes requests on to its own loopback address, where nothing listens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.bad_answers import BadAnswer, bad_answers
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.nginx.log import NginxFailure
from dartsctl.diagnosis.proxy_routes import (
    correction,
    front,
    listeners_on,
    open_ports,
    passes,
    passing_to,
    port_list,
    route_trouble,
    shares_host,
    then_restart,
    where,
)
from dartsctl.diagnosis.repairs import by_hand
from dartsctl.stack.bindings import ANY_IPV4, ANY_IPV6

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import ContainerFacts, Facts, UpstreamFacts
    from dartsctl.diagnosis.trouble import Trouble

CAUSE = Cause.LOOPBACK_UPSTREAM

_OWN = ("localhost", "::1", ANY_IPV4, ANY_IPV6)
"""The wildcard addresses lead to the own host too."""


def detect(facts: Facts) -> Iterator[Trouble]:
    proxy = front(facts)
    if proxy is None:
        return
    for answer in bad_answers(facts):
        for upstream in answer.upstreams:
            if _is_itself(upstream, proxy) and _is_deaf(upstream, answer, proxy):
                yield _trouble(upstream, answer, proxy, facts)


def _is_itself(upstream: UpstreamFacts, proxy: ContainerFacts) -> bool:
    """Whether an upstream leads back to the proxy: by address, or by the proxy's own name."""
    host = upstream.target.host
    return host in _OWN or host.startswith("127.") or upstream.service == proxy.service


def _is_deaf(upstream: UpstreamFacts, answer: BadAnswer, proxy: ContainerFacts) -> bool:
    """Whether nothing listens there; by the log where the sockets could not be read."""
    if proxy.listening is None:
        return answer.last(NginxFailure.REFUSED) is not None
    return all(place.port != upstream.target.port for place in proxy.listening)


def _trouble(
    upstream: UpstreamFacts, answer: BadAnswer, proxy: ContainerFacts, facts: Facts
) -> Trouble:
    name, target = proxy.service, upstream.target
    sentence = (
        f"{name} passes {passes(upstream)} on to {target}, which is {name} itself inside its "
        f"container, and nothing listens on {target.port} there"
    )
    if shares_host(proxy):
        sentence = (
            f"{name} passes {passes(upstream)} on to {target} of this host, where nothing listens"
        )
    return route_trouble(
        CAUSE,
        upstream,
        facts,
        sentence=sentence,
        command=_advice(upstream, proxy, facts),
        text=f"nothing listens on {target.port} in {proxy.name}",
        failure=answer.last(NginxFailure.REFUSED),
        data={"port": target.port},
    )


def _advice(upstream: UpstreamFacts, proxy: ContainerFacts, facts: Facts) -> str:
    port = upstream.target.port
    if shares_host(proxy):
        return _advice_for_host(upstream, facts)
    for name in listeners_on(port, facts):
        return correction(upstream, passing_to(upstream, name, port), facts)
    for name, service in facts.services.items():
        for container in service.running:
            for published in container.bound:
                if published.endpoint.port == port and name != proxy.service:
                    wanted = passing_to(upstream, name, published.target)
                    return correction(upstream, wanted, facts)
    listening = [
        f"{name} listens on {port_list(ports)}"
        for name, service in facts.services.items()
        if name != proxy.service and (ports := open_ports(service))
    ]
    known = f" ({'; '.join(listening)})" if listening else ""
    return then_restart(
        f"name the service and its port instead of {upstream.target} "
        f"in {where(upstream, facts)}{known}",
        facts,
    )


def _advice_for_host(upstream: UpstreamFacts, facts: Facts) -> str:
    """Return the advice for a proxy on the host's network, which uses published ports."""
    port = upstream.target.port
    for service in facts.services.values():
        for container in service.running:
            for published in container.bound:
                endpoint = published.endpoint
                if published.target == port and endpoint.address in (ANY_IPV4, "127.0.0.1"):
                    wanted = passing_to(upstream, "127.0.0.1", endpoint.port)
                    return correction(upstream, wanted, facts)
    return then_restart(
        f"correct the port in {where(upstream, facts)}, or publish the service on {port}", facts
    )


repair = by_hand
