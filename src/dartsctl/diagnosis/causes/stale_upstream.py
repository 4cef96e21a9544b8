"""nginx connects to an address that the service no longer has (edge-cases.md#69, #70)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.findings import Cause, Confidence, Finding, Link
from dartsctl.diagnosis.nginx.log import NginxFailure
from dartsctl.diagnosis.proxy_path import SLACK, ProxyPath, paths
from dartsctl.diagnosis.repairs import Repair, RepairAction
from dartsctl.diagnosis.trouble import Fix, Rank, Scope, Trouble
from dartsctl.records import record
from dartsctl.stack.bindings import bracketed, normal_address
from dartsctl.text.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dartsctl.diagnosis.facts import Facts, HttpFacts
    from dartsctl.diagnosis.nginx.config import Route
    from dartsctl.diagnosis.nginx.log import FailureCount
    from dartsctl.stack.bindings import Endpoint

CAUSE = Cause.STALE_UPSTREAM
_CONNECTING = (
    NginxFailure.REFUSED,
    NginxFailure.NO_ROUTE,
    NginxFailure.CONNECT_TIMEOUT,
    NginxFailure.CONNECT,
)


_REQUEST = regex(r'request: "[A-Z]+ ([^ "?]+)')


@record
class _StaleAddress:
    """An address that nginx connects to for a service that does not have it."""

    address: str
    evidence: str
    source: str
    confidence: Confidence = "certain"
    owner: str = ""
    """The other service that has it now."""


def detect(facts: Facts) -> Iterator[Trouble]:
    for path in paths(facts):
        if not path.upstream.looked_up_once:
            continue
        stale = _from_log(path, facts) or _from_connections(path, facts)
        if stale is not None:
            yield _trouble(path, stale, facts)


def _from_log(path: ProxyPath, facts: Facts) -> _StaleAddress | None:
    """Return the last address that nginx's log names since our first request.

    One that no upstream on this port has; with a failure of ours, or if it is another service's.
    """
    service, port = path.service.name, path.upstream.target.port
    valid = _valid_addresses(path, facts)
    requests = [http.began for http in facts.http if http.through == "proxy"]
    since = min(requests, default=facts.now) - SLACK
    for failure in reversed(path.proxy.failures):
        address, _, failed_port = failure.upstream.rpartition(":")
        address = _normal(address)
        if failure.last is None or failure.last < since or failed_port != str(port):
            continue
        if not address or address in valid or _is_about_another(failure, service, facts):
            continue
        owner = _owner(address, service, facts)
        is_ours = _has_failed(service, facts) or (owner and _is_alone_on(port, service, facts))
        if is_ours and (owner or failure.failure in _CONNECTING):
            log = path.proxy.log_source
            return _StaleAddress(address, failure.line, log, owner=owner)
    return None


def _normal(address: str) -> str:
    """Return an address without brackets, empty for a name or a socket."""
    try:
        return normal_address(address)
    except ValueError:
        return ""


def _is_about_another(failure: FailureCount, service: str, facts: Facts) -> bool:
    """Whether the line names a request that we sent to another service."""
    match = _REQUEST.search(failure.example)
    if not match:
        return False
    behind = {http.upstream for http in facts.http if http.location == match[1]}
    return bool(behind) and service not in behind


def _valid_addresses(path: ProxyPath, facts: Facts) -> set[str]:
    """Return the addresses of all services that nginx is to connect to on this port."""
    addresses = set(facts.addresses(path.service.name))
    for upstream in facts.upstreams:
        if upstream.target.port == path.upstream.target.port:
            addresses.update(facts.addresses(upstream.service))
    return addresses


def _is_alone_on(port: int, service: str, facts: Facts) -> bool:
    """Whether no other service is asked on the same port."""
    names = {upstream.service for upstream in facts.upstreams if upstream.target.port == port}
    return names == {service}


# --- connections ------------------------------------------------------------------------------


def _from_connections(path: ProxyPath, facts: Facts) -> _StaleAddress | None:
    """Return the address that the proxy connected to while our request was on its way.

    Where another upstream rightly uses the same address, its own requests must have gone astray
    too: else the connection may be somebody else's.
    """
    place = _misled(path.service.name, path.upstream.target.port, facts)
    if place is None:
        return None
    rightful = _upstream_at(place.address, path, facts)
    if rightful and not _is_astray(rightful, path, facts):
        return None
    if place.owner and not _may_pass_anywhere(path):
        return place
    return place if _has_failed(path.service.name, facts) and not place.owner else None


def _may_pass_anywhere(path: ProxyPath) -> bool:
    """Whether a location's target depends on the request: then any service may be one."""
    config = path.proxy.config
    return config is None or any(not route.targets for route in config.routes)


def _misled(service: str, port: int, facts: Facts) -> _StaleAddress | None:
    """Return where a service's requests went if none of its addresses was connected to."""
    misled: _StaleAddress | None = None
    for turn in facts.turns:
        requests = [facts.http[index] for index in turn.requests]
        if not any(http.upstream == service and not http.limited for http in requests):
            continue
        names = _services_behind(requests, facts)
        valid: set[str] = set()
        for name in names:
            valid.update(facts.addresses(name))
        seen = [place for place in (*turn.made, *turn.kept) if place.port == port]
        if "" in names or any(place.address in valid for place in seen):
            return None
        for place in seen if misled is None else ():
            is_new = place in turn.made
            owner = _owner(place.address, service, facts)
            if is_new or owner:
                misled = _connected_to(place, service, owner, is_new=is_new)
                break
    return misled


def _connected_to(place: Endpoint, service: str, owner: str, *, is_new: bool) -> _StaleAddress:
    text = f"nginx connected to {place} while it was asked for {service}"
    if not is_new:
        text = f"nginx's only open connection for {service} leads to {place}"
    return _StaleAddress(
        address=place.address,
        evidence=text,
        source="the sockets of the proxy and of the services",
        confidence="certain" if is_new else "likely",
        owner=owner,
    )


def _services_behind(requests: Sequence[HttpFacts], facts: Facts) -> set[str]:
    """Return every service that may have got one of the requests; empty for one outside."""
    names = {http.upstream for http in requests if http.upstream}
    for upstream in facts.upstreams:
        for route in upstream.routes:
            if any(_may_take(route, http) for http in requests):
                names.add(upstream.service)
    return names


def _may_take(route: Route, http: HttpFacts) -> bool:
    """Whether a route has a request, by its first server, else by its location."""
    if http.target and route.targets:
        return str(route.targets[0]) == http.target
    return route.location.endswith(http.location)


def _upstream_at(address: str, path: ProxyPath, facts: Facts) -> str:
    """Return the service that nginx is to find at an address on the same port."""
    for upstream in facts.upstreams:
        is_same_port = upstream.target.port == path.upstream.target.port
        if is_same_port and address in facts.addresses(upstream.service):
            return upstream.service
    return ""


def _is_astray(service: str, path: ProxyPath, facts: Facts) -> bool:
    """Whether a service's own requests failed or went elsewhere, and few others were sent."""
    port = path.upstream.target.port
    if any(place.port == port for place in facts.busy):
        return False
    return _has_failed(service, facts) or _misled(service, port, facts) is not None


def _owner(address: str, service: str, facts: Facts) -> str:
    """Return the other service that has an address now."""
    for name in facts.services:
        if name != service and address in facts.addresses(name):
            return name
    return ""


def _has_failed(service: str, facts: Facts) -> bool:
    return any(
        http.is_bad and http.through == "proxy" and http.upstream == service for http in facts.http
    )


def _trouble(path: ProxyPath, stale: _StaleAddress, facts: Facts) -> Trouble:
    service, target = path.service.name, path.upstream.target
    addresses = sorted(set(facts.addresses(service)))
    now = ", ".join(addresses)
    asked = f"{bracketed(stale.address)}:{target.port} for {service}"
    if stale.owner:
        asked += f", which {stale.owner} has now"
    return Trouble(
        cause=CAUSE,
        service=service,
        container=path.service.running[0].name,
        sentence=(f"nginx still connects to {asked}; {service} is at {now} now"),
        command=Fix(),
        rank=Rank(Scope.PATH, position=path.position),
        confidence=stale.confidence,
        links=tuple(_links(path, stale, now)),
        data={
            "stale": stale.address,
            "addresses": addresses,
            "owner": stale.owner,
            "proxy": path.front.running[0].name,
        },
        silent_symptom=(f"requests for {service} are answered by another service"),
    )


def _links(path: ProxyPath, stale: _StaleAddress, now: str) -> Iterator[Link]:
    text = f"{path.upstream.target} was looked up once, as {stale.address}; it is {now} now"
    yield Link("upstream", "bad", text, evidence=(stale.evidence,), source=stale.source)
    results = path.upstream.results
    if results:
        text = f"{path.service.name} answers at its own address"
        yield Link("port", "ok", text, evidence=results, source="connect from this host")


def repair(finding: Finding, facts: Facts) -> Repair:  # noqa: ARG001 - always the same
    return Repair(RepairAction.RELOAD)
