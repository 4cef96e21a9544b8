"""The chain of a finding: from the symptom through the proxy and the upstream to the cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.findings import Link, Mark
from dartsctl.diagnosis.follows import explains
from dartsctl.records import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.diagnosis.facts import Facts, HttpFacts, ProxyFacts, UpstreamFacts
    from dartsctl.diagnosis.nginx.config import Target
    from dartsctl.diagnosis.nginx.log import FailureCount
    from dartsctl.diagnosis.trouble import Trouble

_COUNTS = 3
"""Kinds of failures from the proxy's log that a link shows, the last ones."""


def path(root: Trouble, followers: Sequence[Trouble], facts: Facts) -> list[Link]:
    """Return the links from outside to the service: symptom, proxy, upstream."""
    links = [symptom(root, followers, facts)]
    if facts.proxy is None or root.service == facts.proxy.service:
        return links
    links.append(_proxy(root, followers, facts.proxy, facts))
    upstreams = facts.upstreams_of(root.service)
    if upstreams and not root.has_link("upstream"):
        links.append(_upstream(upstreams[0], facts))
    return links


def links(root: Trouble, facts: Facts) -> tuple[Link, ...]:
    """Return the root's own links. The container of the proxy is the link `proxy`."""
    if facts.proxy is None or root.service != facts.proxy.service:
        return root.links
    if root.has_link("proxy"):
        return tuple(sorted(root.links, key=lambda link: link.name != "proxy"))
    return tuple(map(_as_proxy, root.links))


def _as_proxy(link: Link) -> Link:
    if link.name == "container":
        return replace(link, name="proxy")
    return link


def cause_link(root: Trouble) -> Link:
    """Return the last link."""
    return Link("cause", "bad", root.sentence)


def symptom(root: Trouble, followers: Sequence[Trouble], facts: Facts) -> Link:
    """Return what is seen from outside: a failed request, or why none is known."""
    failed = failed_requests(root, followers, facts)
    if not failed and root.silent_symptom:
        return Link("symptom", "bad", root.silent_symptom, source="http")
    effects = tuple(f"follows: {trouble.sentence}" for trouble in followers)
    if not failed and not facts.http:
        return Link("symptom", "unknown", "no request could be tried", effects)
    if not failed:
        return Link(
            "symptom", "ok", "no request fails because of it now", evidence=effects, source="http"
        )
    first = min(failed, key=lambda http: http.through != "proxy")
    failed.remove(first)
    others = [f"{http.symptom} ({http.seconds:.1f} s)" for http in failed]
    return Link("symptom", "bad", first.symptom, evidence=(*others, *effects), source="http")


def failed_requests(root: Trouble, followers: Sequence[Trouble], facts: Facts) -> list[HttpFacts]:
    """Return the failed requests that follow from a trouble."""
    return [
        http
        for http in facts.failed_requests
        if any(explains(trouble, http, facts) for trouble in (root, *followers))
    ]


def _proxy(root: Trouble, followers: Sequence[Trouble], proxy: ProxyFacts, facts: Facts) -> Link:
    for trouble in followers:
        if trouble.service == proxy.service and not trouble.targets:
            return _proxy_in_trouble(trouble)
    state, source = "not there", "engine: list of containers"
    mark: Mark = "bad"
    service = facts.proxy_service
    if service and service.first:
        state, source = service.first.state, f"engine: inspect {service.first.name}"
        mark = "ok" if service.first.runs else "bad"
    counts = _counts(root, proxy, facts)[-_COUNTS:]
    if counts:
        source = proxy.log_source
    text = f"{proxy.service} ({proxy.kind}) is {state}"
    return Link("proxy", mark, text, evidence=tuple(count.line for count in counts), source=source)


def _proxy_in_trouble(trouble: Trouble) -> Link:
    """Return the proxy's link where it is down because of the root."""
    source = "engine: list of containers"
    evidence: list[str] = []
    for link in trouble.links:
        source = link.source or source
        evidence += link.evidence
    return Link("proxy", "bad", trouble.sentence, evidence=tuple(evidence), source=source)


def _counts(root: Trouble, proxy: ProxyFacts, facts: Facts) -> list[FailureCount]:
    """Return the failures in the proxy's log that are about the root's service."""
    targets = [upstream.target for upstream in facts.upstreams_of(root.service)]
    return [count for count in proxy.failures if _is_about(count, targets)]


def _is_about(count: FailureCount, targets: Sequence[Target]) -> bool:
    port, name = count.upstream.rpartition(":")[2], count.name.partition(":")[0]
    return any(port == str(target.port) or name == target.host for target in targets)


def _upstream(upstream: UpstreamFacts, facts: Facts) -> Link:
    routes = [f"{route.location} -> {route.written}" for route in upstream.routes]
    lookup = "looked up for each request"
    if upstream.looked_up_once:
        lookup = "looked up once, when nginx starts"
    mark, results = _connect_results(upstream, facts)
    return Link(
        "upstream",
        mark,
        f"{upstream.target} ({lookup})",
        evidence=(", ".join(dict.fromkeys(routes)), *results),
        source=facts.proxy.config_source if facts.proxy else "",
    )


def _connect_results(upstream: UpstreamFacts, facts: Facts) -> tuple[Mark, tuple[str, ...]]:
    """Return how connections from this host to the service ended, and what that says."""
    service = facts.services.get(upstream.service)
    if service and not service.running:
        return "bad", (f"no container of {upstream.service} runs",)
    mark: Mark = "unknown"
    for connect in upstream.tried:
        if connect.result != "open":
            return "bad", upstream.results
        mark = "ok"
    return mark, upstream.results
