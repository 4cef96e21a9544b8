"""Failed requests through the proxy, with what explains them where everything else looks well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.container_state import dependencies
from dartsctl.diagnosis.findings import Cause, Confidence, Link
from dartsctl.diagnosis.proxy_path import SLACK
from dartsctl.diagnosis.trouble import Rank, Scope, Trouble, container_link
from dartsctl.records import record
from dartsctl.stack.bindings import bracketed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import ContainerFacts, Facts, HttpFacts, UpstreamFacts
    from dartsctl.diagnosis.nginx.log import FailureCount, NginxFailure


@record
class BadAnswer:
    """A failed request through the proxy."""

    position: int
    """Its index in the facts."""
    http: HttpFacts
    upstreams: tuple[UpstreamFacts, ...] = ()
    """The servers behind its location, the one that it names first."""
    starting: ContainerFacts | None = None
    """A container of the upstream that is not ready yet."""
    failures: tuple[FailureCount, ...] = ()
    """What the proxy's log says about it since the request, the latest last."""

    @property
    def service(self) -> str:
        return self.http.upstream or self.http.service

    @property
    def upstream(self) -> UpstreamFacts | None:
        return self.upstreams[0] if self.upstreams else None

    @property
    def failure(self) -> FailureCount | None:
        """The last failure."""
        return self.failures[-1] if self.failures else None

    def last(self, *kinds: NginxFailure) -> FailureCount | None:
        """Return the last failure of some kinds."""
        for failure in reversed(self.failures):
            if failure.failure in kinds:
                return failure
        return None


def bad_answers(facts: Facts) -> Iterator[BadAnswer]:
    """Yield every failed request through the proxy."""
    for position, http in enumerate(facts.http):
        if http.is_bad and http.through == "proxy":
            yield answer_of(position, http, facts)


def answer_of(position: int, http: HttpFacts, facts: Facts) -> BadAnswer:
    """Return a request with what is known about it."""
    targets = facts.targets_of(http)
    upstreams = [row for row in facts.upstreams if str(row.target) in targets]
    upstreams.sort(key=lambda row: str(row.target) != http.target)
    starting = None
    for container in facts.running(http.upstream):
        if container.health == "starting":
            starting = container
            break
    return BadAnswer(
        position,
        http,
        tuple(upstreams) or facts.upstreams_of(http.upstream),
        starting,
        tuple(_failures(http, upstreams, facts)),
    )


def _failures(
    http: HttpFacts, upstreams: list[UpstreamFacts], facts: Facts
) -> Iterator[FailureCount]:
    if facts.proxy is None:
        return
    places = _places(http, upstreams or list(facts.upstreams_of(http.upstream)), facts)
    for failure in facts.proxy.failures:
        is_recent = failure.last is None or failure.last >= http.began - SLACK
        if is_recent and not places.isdisjoint(_about(failure)):
            yield failure


def _places(http: HttpFacts, upstreams: list[UpstreamFacts], facts: Facts) -> set[str]:
    """Return what a line of the log may name if it is about a request."""
    places = {f"path {_path(http.url)}"}
    for upstream in upstreams:
        target = upstream.target
        places |= {str(target), target.host}
        if target.host == "localhost":
            places |= {f"127.0.0.1:{target.port}", f"[::1]:{target.port}"}
        for address in facts.addresses(upstream.service):
            places.add(f"{bracketed(address)}:{target.port}")
        for route in upstream.routes:
            places |= {route.group, *(f"{server}:53" for server in route.resolvers)}
    return places - {""}


def _about(failure: FailureCount) -> set[str]:
    """Return what a line names: its upstream, a name with and without a port, its path."""
    names = {failure.upstream, failure.name}
    if not failure.name.startswith("unix:"):
        names.add(failure.name.partition(":")[0])
    if failure.path:
        names.add(f"path {failure.path}")
    return names - {""}


def _path(url: str) -> str:
    """Return the path and query of a URL."""
    _, slash, path = url.partition("://")[2].partition("/")
    return slash + path or "/"


def starting_trouble(cause: Cause, answer: BadAnswer, facts: Facts) -> Trouble:
    """Return the trouble of a service that is not ready yet."""
    assert answer.starting is not None  # noqa: S101 - the caller has checked it
    http, service = answer.http, answer.service
    return Trouble(
        cause=cause,
        service=service,
        container=answer.starting.name,
        sentence=f"{service} is still starting: {http.url} {http.answer}",
        command=f"{facts.commands.stack} logs {service}",
        rank=Rank(Scope.ANSWER, position=answer.position),
        confidence="possible",
        links=(container_link(answer.starting, facts),),
        data={"status": http.status},
        because_of=_needed(service, facts),
        http=http,
    )


def answer_trouble(
    cause: Cause,
    answer: BadAnswer,
    facts: Facts,
    *,
    confidence: Confidence,
    sentence: str = "",
    command: str = "",
    failure: FailureCount | None = None,
    evidence: tuple[str, ...] = (),
) -> Trouble:
    """Return the trouble of a service that runs and is not served, with nginx's reason if any."""
    http, service = answer.http, answer.service
    failure = failure or answer.failure
    reason, source = "", "http"
    if failure and facts.proxy:
        reason = f"; nginx says: {failure.failure.value}"
        evidence, source = (failure.line, *evidence), facts.proxy.log_source
    although = f"although {service} runs"
    if http.target and not http.upstream:
        although = f"when {service} passes it on to {http.target}"
    text = f"{service} runs, and {http.url} {http.answer}"
    running = facts.running(service)
    return Trouble(
        cause=cause,
        service=service,
        container=running[0].name if running else "",
        sentence=sentence or f"{http.url} {http.answer} {although}{reason}",
        command=command or f"{facts.commands.stack} logs {service}",
        rank=Rank(Scope.ANSWER, position=answer.position),
        confidence=confidence,
        links=(Link("upstream", "unknown", text, evidence=evidence, source=source),),
        data={"status": http.status},
        because_of=_needed(service, facts),
        http=http,
    )


def _needed(service: str, facts: Facts) -> tuple[str, ...]:
    """Return the services that a service needs by `depends_on`; for the proxy none.

    It passes on requests for each of them, and says itself which of them fails.
    """
    if service not in facts.services or (facts.proxy and facts.proxy.service == service):
        return ()
    return dependencies(facts.services[service], facts)
