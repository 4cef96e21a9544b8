"""nginx connects to an address that the service no longer has (edge-cases.md#69, #70)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dartsctl.diagnosis.findings import Cause, Finding, Link
from dartsctl.diagnosis.nginx.log import NginxFailure
from dartsctl.diagnosis.proxy_path import SLACK, ProxyPath, paths
from dartsctl.diagnosis.repairs import Repair, RepairAction
from dartsctl.diagnosis.trouble import Fix, Rank, Scope, Trouble

if TYPE_CHECKING:
    from dartsctl.diagnosis.facts import Facts

CAUSE = Cause.STALE_UPSTREAM
_CONNECTING = (
    NginxFailure.REFUSED,
    NginxFailure.NO_ROUTE,
    NginxFailure.CONNECT_TIMEOUT,
    NginxFailure.CONNECT,
)


@dataclass(frozen=True, slots=True)
class _StaleAddress:
    """An address that nginx connects to and that none of its upstreams has."""

    address: str
    evidence: str
    source: str


def detect(facts: Facts) -> Iterator[Trouble]:
    for path in paths(facts):
        if not path.upstream.looked_up_once:
            continue
        stale = _stale_address(path, facts)
        if stale is None:
            continue
        owner = _owner(stale.address, path.service.name, facts)
        if owner or _has_failed(path.service.name, facts):
            yield _trouble(path, stale, owner, facts)


def _stale_address(path: ProxyPath, facts: Facts) -> _StaleAddress | None:
    """Return the last address on the upstream's port that no upstream on this port has.

    From the log since our first request, else from the proxy's open connections.
    """
    port = path.upstream.target.port
    valid = _valid_addresses(path, facts)
    requests = [http.began for http in facts.http if http.through == "proxy"]
    since = min(requests, default=facts.now) - SLACK
    for failure in reversed(path.proxy.failures):
        address, _, failed_port = failure.upstream.rpartition(":")
        is_recent = failure.last is not None and failure.last >= since
        is_connection = failure.failure in _CONNECTING and failed_port == str(port)
        if is_recent and is_connection and address and address not in valid:
            log = path.proxy.log_source
            return _StaleAddress(address.strip("[]"), failure.line, log)
    for address in path.upstream.asked:
        if address not in valid:
            evidence = f"open connection to {address}:{port}"
            return _StaleAddress(address, evidence, "kernel: the proxy's socket table")
    return None


def _valid_addresses(path: ProxyPath, facts: Facts) -> set[str]:
    """Return the addresses of all services that nginx is to connect to on this port."""
    port = path.upstream.target.port
    addresses = set(facts.addresses(path.service.name))
    for upstream in facts.upstreams:
        if upstream.target.port == port:
            addresses.update(facts.addresses(upstream.service))
    return addresses


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


def _trouble(path: ProxyPath, stale: _StaleAddress, owner: str, facts: Facts) -> Trouble:
    service, target = path.service.name, path.upstream.target
    addresses = sorted(set(facts.addresses(service)))
    now = ", ".join(addresses)
    asked = f"{stale.address}:{target.port} for {service}"
    if owner:
        asked += f", which {owner} has now"
    return Trouble(
        cause=CAUSE,
        service=service,
        container=path.service.running[0].name,
        sentence=(f"nginx still connects to {asked}; {service} is at {now} now"),
        command=Fix(),
        rank=Rank(Scope.PATH, position=path.position),
        links=tuple(_links(path, stale, now)),
        data={
            "stale": stale.address,
            "addresses": addresses,
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
