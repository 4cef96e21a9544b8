"""Failed requests through the proxy, with what explains them where everything else looks well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dartsctl.diagnosis.findings import Cause, Confidence, Link
from dartsctl.diagnosis.proxy_path import SLACK
from dartsctl.diagnosis.trouble import Rank, Scope, Trouble, container_link

if TYPE_CHECKING:
    from dartsctl.diagnosis.facts import ContainerFacts, Facts, HttpFacts
    from dartsctl.diagnosis.nginx.log import FailureCount


@dataclass(frozen=True, slots=True)
class BadAnswer:
    """A failed request through the proxy."""

    position: int
    """Its index in the facts."""
    http: HttpFacts
    starting: ContainerFacts | None
    """A container of the upstream that is not ready yet."""
    failure: FailureCount | None
    """The last failure of the upstream in the proxy's log since the request."""

    @property
    def service(self) -> str:
        return self.http.upstream or self.http.service


def bad_answers(facts: Facts) -> Iterator[BadAnswer]:
    """Yield every failed request through the proxy."""
    for position, http in enumerate(facts.http):
        if http.is_bad and http.through == "proxy":
            running = facts.running(http.upstream)
            starting = (container for container in running if container.health == "starting")
            yield BadAnswer(position, http, next(starting, None), _last_failure(http, facts))


def _last_failure(http: HttpFacts, facts: Facts) -> FailureCount | None:
    if facts.proxy is None:
        return None
    targets = {str(upstream.target) for upstream in facts.upstreams_of(http.upstream)}
    addresses = facts.addresses(http.upstream)
    for failure in reversed(facts.proxy.failures):
        is_recent = failure.last is None or failure.last >= http.began - SLACK
        host = failure.upstream.rpartition(":")[0]
        if is_recent and (failure.upstream in targets or host in addresses):
            return failure
    return None


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
        explained_by=_explained_by(http, facts),
    )


def answer_trouble(
    cause: Cause, answer: BadAnswer, facts: Facts, *, confidence: Confidence
) -> Trouble:
    """Return the trouble of a service that runs and is not served, with nginx's reason if any."""
    http, service, failure = answer.http, answer.service, answer.failure
    reason, source = "", "http"
    evidence: tuple[str, ...] = ()
    if failure and facts.proxy:
        reason = f"; nginx says: {failure.failure.value}"
        evidence, source = (failure.line,), facts.proxy.log_source
    text = f"{service} runs, and {http.url} {http.answer}"
    return Trouble(
        cause=cause,
        service=service,
        sentence=f"{http.url} {http.answer} although {service} runs{reason}",
        command=f"{facts.commands.stack} logs {service}",
        rank=Rank(Scope.ANSWER, position=answer.position),
        confidence=confidence,
        links=(Link("upstream", "unknown", text, evidence=evidence, source=source),),
        data={"status": http.status},
        explained_by=_explained_by(http, facts),
    )


def _explained_by(http: HttpFacts, facts: Facts) -> tuple[str, ...]:
    if not http.upstream:
        return ()
    if facts.proxy is None:
        return (http.upstream,)
    return (facts.proxy.service, http.upstream)
