"""From facts to root causes: every trouble, what follows from another one folded into its chain, the chain with its evidence (DESIGN 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dartsctl.diagnosis.causes import containers
from dartsctl.diagnosis.causes import proxy as proxy_troubles
from dartsctl.diagnosis.facts import Facts, HttpFacts, UpstreamFacts
from dartsctl.diagnosis.findings import Cause, Confidence, Diagnosis, Finding, Link, Mark
from dartsctl.diagnosis.trouble import Trouble

__all__ = ["Cause", "Confidence", "Diagnosis", "Finding", "Link", "Mark", "diagnose"]

_ENTRY_FIRST = (
    Cause.ENGINE_DOWN,
    Cause.ENTRY_PORT_TAKEN,
    Cause.PORT_SQUATTER,
    Cause.OTHER_CONTAINER,
)


def diagnose(facts: Facts) -> Diagnosis:
    """The root causes, those that free a port first. A healthy stack has none."""
    symptoms = tuple(dict.fromkeys(f"{one.url} {one.answer}" for one in facts.http if one.is_bad))
    if not facts.engine.answers:
        return Diagnosis((_engine_down(facts),), symptoms)
    found = _troubles(facts)
    roots = [one for one in found.values() if not _root_of(one, found)]
    if not any(service.containers for service in facts.services.values()) and facts.services:
        roots = _nothing_there(roots, facts)
    roots.sort(
        key=lambda one: (
            _ENTRY_FIRST.index(one.cause) if one.cause in _ENTRY_FIRST else len(_ENTRY_FIRST),
            one.service,
        )
    )
    followers = {
        root.service: [one for one in found.values() if root.service in _root_of(one, found)]
        for root in roots
    }
    return Diagnosis(
        tuple(_finding(root, followers[root.service], facts) for root in roots), symptoms
    )


def _troubles(facts: Facts) -> dict[str, Trouble]:
    """The trouble of each service, one at most: its own before that of the way to it."""
    found: dict[str, Trouble] = {}
    proxy = facts.proxy.service if facts.proxy else ""
    for name, service in facts.services.items():
        asked = {
            one.target.port for one in facts.upstreams if one.service == name and one.target.port
        }
        trouble = (
            proxy_troubles.of_proxy(facts)
            if name == proxy
            else containers.of_service(service, facts, asked)
        )
        if trouble:
            found[name] = trouble
    for upstream in facts.upstreams:
        if upstream.service not in found and (
            trouble := proxy_troubles.of_upstream(upstream, facts)
        ):
            found[upstream.service] = trouble
    for bad in facts.http:
        explained = proxy in found or (bad.upstream in found if bad.upstream else bool(found))
        if bad.is_bad and bad.through == "proxy" and not explained:
            found[bad.upstream or bad.service] = proxy_troubles.unexplained(bad, facts)
    return found


def _root_of(one: Trouble, found: Mapping[str, Trouble]) -> tuple[str, ...]:
    """The services whose trouble explains this one, none where it is a root itself."""
    return tuple(
        name
        for name in one.because_of
        if name in found and one.service not in found[name].because_of
    )


def _nothing_there(roots: Sequence[Trouble], facts: Facts) -> list[Trouble]:
    """A stack that was never started, or was taken down, is one finding; a port that keeps it from starting is another."""
    ports = [
        one for one in roots if one.cause not in (Cause.NEVER_STARTED, Cause.PROXY_DOWN) or one.data
    ]
    if ports:
        return ports
    first = roots[0].service if roots else ""
    link = Link(
        "container", "bad", f"{facts.project} has no containers", (), "engine: list of containers"
    )
    sentence = f"{facts.project} is not up: it has no containers"
    return [
        Trouble(
            Cause.NEVER_STARTED,
            first,
            "",
            sentence,
            f"{facts.commands.doctor} --fix",
            "certain",
            (link,),
        )
    ]


def _finding(root: Trouble, followers: Sequence[Trouble], facts: Facts) -> Finding:
    links = (
        _as_proxy(root.links) if facts.proxy and root.service == facts.proxy.service else root.links
    )
    way = _way(root, followers, facts)
    chain = (*way, *links, Link("cause", "bad", root.sentence, (), ""))
    data = {**root.data, "followed_by": [one.service for one in followers]}
    harmless = way[0].mark != "bad" and not any(
        _is_missing(one.service, facts) for one in (root, *followers)
    )
    command = (
        facts.commands.up
        if harmless and root.command == f"{facts.commands.doctor} --fix"
        else root.command
    )
    return Finding(
        root.cause,
        root.service,
        root.container,
        chain,
        root.sentence,
        command,
        root.confidence,
        data,
        harmless,
    )


def _is_missing(name: str, facts: Facts) -> bool:
    """Whether a service has fewer containers running than it should."""
    service = facts.services.get(name)
    return service is not None and len(service.running) < service.replicas


def _as_proxy(links: tuple[Link, ...]) -> tuple[Link, ...]:
    """The container of the proxy is the chain's second link, not its fourth."""
    if any(link.name == "proxy" for link in links):
        return tuple(sorted(links, key=lambda link: link.name != "proxy"))
    return tuple(
        replace(link, name="proxy") if link.name == "container" else link for link in links
    )


def _way(root: Trouble, followers: Sequence[Trouble], facts: Facts) -> list[Link]:
    """symptom -> proxy -> upstream: how somebody outside comes to the service."""
    concerned = {root.service, *(one.service for one in followers)}
    is_entry = facts.proxy is not None and facts.proxy.service in concerned
    seen = [
        one
        for one in facts.http
        if one.is_bad and (is_entry or not one.upstream or one.upstream in concerned)
    ]
    if root.cause is Cause.CERTIFICATE and not seen:
        links = [
            Link(
                "symptom", "bad", "browsers refuse the certificate; this look takes any", (), "http"
            )
        ]
    elif root.cause is Cause.STALE_UPSTREAM and not seen:
        links = [
            Link(
                "symptom",
                "bad",
                f"requests for {root.service} reach another service, and are answered by it",
                (),
                "http",
            )
        ]
    else:
        links = [_symptom(seen, followers, facts)]
    if facts.proxy and root.service != facts.proxy.service:
        links.append(_proxy(root, followers, facts))
        links += [
            _upstream(one, facts)
            for one in facts.upstreams
            if one.service == root.service and not _has(root, "upstream")
        ][:1]
    return links


def _has(root: Trouble, name: str) -> bool:
    return any(link.name == name for link in root.links)


def _symptom(seen: Sequence[HttpFacts], followers: Sequence[Trouble], facts: Facts) -> Link:
    also = tuple(f"follows: {one.sentence}" for one in followers)
    if not seen:
        text = "no request fails because of it now" if facts.http else "no request could be tried"
        return Link(
            "symptom", "ok" if facts.http else "unknown", text, also, "http" if facts.http else ""
        )
    first = min(seen, key=lambda one: one.through != "proxy")
    others = tuple(
        f"{one.url} {one.answer} ({one.seconds:.1f} s)" for one in seen if one is not first
    )
    return Link("symptom", "bad", f"{first.url} {first.answer}", (*others, *also), "http")


def _proxy(root: Trouble, followers: Sequence[Trouble], facts: Facts) -> Link:
    assert facts.proxy is not None  # noqa: S101 - asked by the caller
    proxy = facts.proxy
    if down := next((one for one in followers if one.service == proxy.service), None):
        source = next(
            (link.source for link in reversed(down.links) if link.source),
            "engine: list of containers",
        )
        return Link(
            "proxy",
            "bad",
            down.sentence,
            tuple(line for link in down.links for line in link.evidence),
            source,
        )
    targets = [one for one in facts.upstreams if one.service == root.service]
    ports = {str(one.target.port) for one in targets}
    names = {one.target.host for one in targets}
    counts = [
        one
        for one in proxy.failures
        if one.upstream.rpartition(":")[2] in ports or one.name.partition(":")[0] in names
    ]
    service = facts.proxy_service
    state = service.containers[0].state if service and service.containers else "not there"
    lines = tuple(proxy_troubles.count_line(one) for one in counts[-3:])
    seen = (
        f"engine: inspect {service.containers[0].name}"
        if service and service.containers
        else "engine: list of containers"
    )
    return Link(
        "proxy",
        "ok" if state == "running" else "bad",
        f"{proxy.service} ({proxy.kind}) is {state}",
        lines,
        proxy.log_source if lines else seen,
    )


def _upstream(one: UpstreamFacts, facts: Facts) -> Link:
    routes = ", ".join(
        dict.fromkeys(f"{route.location} -> {route.written}" for route in one.routes)
    )
    how = "looked up once, when nginx starts" if one.looked_up_once else "looked up again and again"
    results = tuple(
        f"{made.address}:{made.port} {made.result}" for made in one.connects if made.result
    )
    mark: Mark = (
        "unknown"
        if not results
        else "ok"
        if all(made.result in ("open", "") for made in one.connects)
        else "bad"
    )
    if one.service in facts.services and not facts.services[one.service].running:
        mark, results = "bad", (f"no container of {one.service} runs",)
    source = facts.proxy.config_source if facts.proxy else ""
    return Link("upstream", mark, f"{one.target} ({how})", (routes, *results), source)


def _engine_down(facts: Facts) -> Finding:
    engine = facts.engine
    seen = [one for one in facts.http if one.is_bad]
    chain = (
        _symptom(seen, (), facts),
        Link("container", "unknown", "nothing is known of the containers", (), ""),
        Link("cause", "bad", engine.problem, (engine.endpoint,), "engine: version"),
    )
    return Finding(
        Cause.ENGINE_DOWN,
        "",
        "",
        chain,
        engine.problem,
        engine.hint,
        "certain",
        {"endpoint": engine.endpoint},
    )
