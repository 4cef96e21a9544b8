"""Troubles of the proxy's configuration that are about one upstream: where it is, and its words."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from dartsctl.diagnosis.container_state import is_loopback
from dartsctl.diagnosis.findings import Cause, Confidence, Link
from dartsctl.diagnosis.trouble import Rank, Scope, Trouble
from dartsctl.errors import Advice
from dartsctl.records import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dartsctl.diagnosis.bad_answers import BadAnswer
    from dartsctl.diagnosis.facts import ContainerFacts, Facts, ServiceFacts, UpstreamFacts
    from dartsctl.diagnosis.nginx.config import Route
    from dartsctl.diagnosis.nginx.log import FailureCount

_PASSES = {"grpc": "grpc_pass", "grpcs": "grpc_pass", "uwsgi": "uwsgi_pass", "suwsgi": "uwsgi_pass"}
DOCKERS_RESOLVER = "127.0.0.11"


def route_trouble(
    cause: Cause,
    upstream: UpstreamFacts,
    facts: Facts,
    *,
    sentence: str,
    command: str,
    text: str,
    failure: FailureCount | None = None,
    confidence: Confidence = "certain",
    data: Mapping[str, object] | None = None,
) -> Trouble:
    """Return a trouble of the running proxy that concerns the requests to one upstream.

    `text` says what is wrong with the upstream; `failure` is the line of the log about it.
    """
    container = front(facts)
    assert container is not None  # noqa: S101 - the caller has checked it
    return Trouble(
        cause=cause,
        service=container.service,
        container=container.name,
        sentence=sentence,
        command=command,
        rank=Rank(Scope.PATH, confidence != "certain", facts.upstreams.index(upstream)),
        confidence=confidence,
        links=(_proxy_link(container, failure, facts), _upstream_link(upstream, text, facts)),
        data={"upstream": str(upstream.target), "place": place(upstream), **(data or {})},
        targets=(str(upstream.target),),
    )


def _proxy_link(container: ContainerFacts, failure: FailureCount | None, facts: Facts) -> Link:
    kind, source = "", f"engine: inspect {container.name}"
    if facts.proxy:
        kind = f" ({facts.proxy.kind})"
    evidence: tuple[str, ...] = ()
    if failure and facts.proxy:
        evidence, source = (failure.line,), facts.proxy.log_source
    text = f"{container.service}{kind} is {container.state}"
    return Link("proxy", "ok", text, evidence=evidence, source=source)


def _upstream_link(upstream: UpstreamFacts, text: str, facts: Facts) -> Link:
    source = facts.proxy.config_source if facts.proxy else ""
    written = [f"{row.location} -> {row.written} ({row.place})" for row in upstream.routes]
    return Link("upstream", "bad", text, evidence=tuple(written), source=source)


def answered(trouble: Trouble, answer: BadAnswer) -> Trouble:
    """Return a trouble of the proxy that only a failed request shows."""
    return replace(trouble, rank=Rank(Scope.ANSWER, position=answer.position), http=answer.http)


def front(facts: Facts) -> ContainerFacts | None:
    """Return the proxy's running container."""
    service = facts.proxy_service
    return service.running[0] if service and service.running else None


def shares_host(container: ContainerFacts) -> bool:
    """Whether a container is on the host's network, where Docker's name server is not."""
    return container.network_mode == "host"


def place(upstream: UpstreamFacts) -> str:
    """Return file and line of an upstream: its `server`, else its first route. Empty if unknown."""
    for route in upstream.routes:
        for target, spot in zip(route.targets, route.server_places, strict=False):
            if target == upstream.target:
                return spot
    return upstream.routes[0].place if upstream.routes else ""


def where(upstream: UpstreamFacts, facts: Facts) -> str:
    """Return where an upstream is written: `shown_place`."""
    return shown_place(place(upstream), facts)


def shown_place(spot: str, facts: Facts) -> str:
    """Return `/srv/site.conf:4 (/etc/nginx/conf.d/default.conf of web)`, as far as it is known.

    `spot`: file and line in the proxy's container. The host's file is shown where it is mounted.
    """
    proxy = facts.proxy
    if proxy is None or not spot:
        name = proxy.service if proxy else "the proxy"
        return f"nginx's configuration of {name}"
    path, _, line = spot.rpartition(":")
    for mount in proxy.mounts:
        target = mount.target.rstrip("/")
        if path == target or path.startswith(f"{target}/"):
            return f"{mount.source}{path.removeprefix(target)}:{line} ({path} of {proxy.service})"
    return f"{spot} of {proxy.service}"


def passes(upstream: UpstreamFacts) -> str:
    """Return the locations that lead to an upstream: `/, /api/`."""
    return ", ".join(dict.fromkeys(route.location for route in upstream.routes))


def correction(upstream: UpstreamFacts, wanted: str, facts: Facts) -> str:
    """Return the advice to write another target, and to restart the proxy.

    A restart, not a reload: a single mounted file that an editor has replaced stays the old one
    inside a running container.
    """
    return then_restart(f"write `{wanted}` in {where(upstream, facts)}", facts)


def then_restart(what: str, facts: Facts) -> str:
    """Return advice that ends with the restart of the proxy."""
    name = facts.proxy.service if facts.proxy else ""
    return Advice(f"{what}, then run `{facts.commands.stack} restart {name}`")


def passing_to(upstream: UpstreamFacts, host: str, port: int, scheme: str = "") -> str:
    """Return the directive that passes requests on to another server: `proxy_pass http://a:80`.

    Within an `upstream` block that is a `server`.
    """
    route = upstream.routes[0] if upstream.routes else None
    if route is not None and route.group and not scheme:
        return f"server {host}:{port}"
    scheme = scheme or (route.scheme if route else "http")
    if scheme in ("http", "https"):
        return f"proxy_pass {scheme}://{host}:{port}{_rest(route)}"
    prefix = f"{scheme}://" if scheme.startswith("grpc") else ""
    return f"{_PASSES.get(scheme, f'{scheme}_pass')} {prefix}{host}:{port}"


def _rest(route: Route | None) -> str:
    """Return the path after the server in what is written: `/` of `http://app:5000/`."""
    if route is None or "$" in route.written:
        return ""
    _, slash, path = route.written.partition("://")[2].partition("/")
    return slash + path


def open_ports(service: ServiceFacts) -> tuple[int, ...]:
    """Return the ports that a service listens on inside, reachable for others."""
    ports: dict[int, None] = {}
    for container in service.running:
        for endpoint in container.listening or ():
            if not is_loopback(endpoint):
                ports[endpoint.port] = None
    return tuple(ports)


def listeners_on(port: int, facts: Facts) -> list[str]:
    """Return the services other than the proxy that listen on a port inside."""
    own = facts.proxy.service if facts.proxy else ""
    return [
        name
        for name, service in facts.services.items()
        if name != own and port in open_ports(service)
    ]


def is_address(host: str) -> bool:
    """Whether a host is an address, not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def port_list(ports: tuple[int, ...]) -> str:
    """Return `80, 443`."""
    return ", ".join(map(str, ports))
