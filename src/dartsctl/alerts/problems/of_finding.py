"""A finding of doctor as a problem: whose it is, its evidence, and since when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.causes import HELD_PORT
from dartsctl.alerts.problem import Problem, Severity, Subject
from dartsctl.alerts.problems.waiting import waits_for_another
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.trouble import exit_words
from dartsctl.records import replace
from dartsctl.text.patterns import regex
from dartsctl.text.phrases import local_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dartsctl.diagnosis.facts import ContainerFacts, Facts, ServiceFacts
    from dartsctl.diagnosis.findings import Finding, Link

LOG_LINES = 10
"""Lines of a container's log in the evidence."""
_MOST_LINES = 40
"""Lines of evidence."""
_AGES = regex(r"(?:, (?=\d)|, now running for |; it was started )\d+ (?:s|min|h|d)(?: ago)?(?=$|;)")
"""`, 3 min ago`, `, now running for 2 s` and `; it was started 2 s ago`, of doctor's sentences."""
_ENDED = ("exited", "dead", "restarting")


def problems_of(findings: Sequence[Finding], facts: Facts) -> tuple[Problem, ...]:
    """Return a problem for each subject. Further findings about it become its evidence."""
    problems: dict[Subject, Problem] = {}
    for finding in findings:
        if waits_for_another(finding, facts):
            continue
        problem = problem_of(finding, facts)
        first = problems.get(problem.subject)
        if first is None:
            problems[problem.subject] = problem
            continue
        affected = dict.fromkeys((*first.affected, *problem.affected))
        also = f"also: {problem.sentence}"
        problems[problem.subject] = replace(
            first, evidence=(*first.evidence, also), affected=tuple(affected)
        )
    return tuple(problems.values())


def problem_of(finding: Finding, facts: Facts) -> Problem:
    """Return a finding as a problem."""
    subject = subject_of(finding, facts)
    container = _container(finding, facts)
    return Problem(
        subject,
        finding.cause.value,
        _sentence(finding),
        finding.command,
        severity=_severity(finding),
        evidence=tuple(_evidence(finding, container))[:_MOST_LINES],
        since=_since(container, facts),
        affected=_affected(finding, subject),
        data=_data(finding, container),
    )


def subject_of(finding: Finding, facts: Facts) -> Subject:
    """Return what a finding is about: mostly a service, else the port that is held.

    A service whose start was refused is down until it is started, not only until the port is free.
    """
    if finding.cause is Cause.ENGINE_DOWN:
        return Subject("engine")
    data = finding.data
    port = _held_port(finding)
    if port and not _was_refused(facts.services.get(finding.service)):
        return port
    if finding.cause is Cause.CERTIFICATE and finding.is_aside and data.get("certificate"):
        return Subject("certificate", str(data["certificate"]))
    if finding.service:
        return Subject("service", finding.service)
    return Subject("site")


def _held_port(finding: Finding) -> Subject | None:
    """Return the port that somebody holds, None if the finding is about none."""
    data = finding.data
    if finding.cause.value not in HELD_PORT or not data.get("port"):
        return None
    return Subject("port", f"{data['port']}/{data.get('protocol', 'tcp')}")


def _was_refused(service: ServiceFacts | None) -> bool:
    """Whether the engine has refused to start a container of the service."""
    if service is None:
        return False
    return any(container.error and not container.runs for container in service.containers)


def _sentence(finding: Finding) -> str:
    """Return the sentence; what was not measured is said to be probable, or possible.

    Without ages, which are others in every look: a problem has `since`.
    """
    sentence = _AGES.sub("", finding.sentence)
    match finding.confidence:
        case "likely":
            return f"probably: {sentence}"
        case "possible":
            return f"possibly: {sentence}"
    return sentence


def _severity(finding: Finding) -> Severity:
    """Return how bad it is: a warning if no user meets it. Browsers meet a bad certificate."""
    is_met = any(link.name == "symptom" and link.mark == "bad" for link in finding.chain)
    if finding.harmless or (finding.is_aside and not is_met):
        return "warning"
    return "critical"


def _affected(finding: Finding, subject: Subject) -> tuple[Subject, ...]:
    """Return what follows: services, the port that is held, a proxy's certificate."""
    followers = finding.data.get("followed_by", ())
    names = [finding.service]
    if isinstance(followers, list | tuple):
        names += map(str, followers)
    affected = [Subject("service", name) for name in dict.fromkeys(names) if name]
    if port := _held_port(finding):
        affected.append(port)
    if where := finding.data.get("certificate"):
        affected.append(Subject("certificate", str(where)))
    return tuple(other for other in affected if other != subject)


def _container(finding: Finding, facts: Facts) -> ContainerFacts | None:
    """Return the container that a finding is about, None where it is about none."""
    service = facts.services.get(finding.service)
    if service is None:
        return None
    for container in service.containers:
        if container.name == finding.container:
            return container
    return None


def _since(container: ContainerFacts | None, facts: Facts) -> float | None:
    """Return when a container failed, by our clock; None where the engine does not say."""
    if container is None:
        return None
    moment = None
    if container.state in _ENDED:
        moment = container.finished
    elif container.state == "created":
        moment = container.created
    elif container.is_unhealthy:
        moment = container.unhealthy_since
    if not moment or moment > facts.now:
        return None
    return moment - facts.engine.skew


def _data(finding: Finding, container: ContainerFacts | None) -> dict[str, object]:
    data: dict[str, object] = {**finding.data, "service": finding.service}
    data |= {"confidence": finding.confidence, "requests": list(finding.requests)}
    if container is None:
        return data
    data["container"] = container.name
    if container.state in _ENDED:
        data |= {"exit_code": container.exit_code, "oom_killed": container.oom_killed}
    if container.restart_count:
        data["restarts"] = container.restart_count
    return data


# --- evidence ---------------------------------------------------------------------------------


def _evidence(finding: Finding, container: ContainerFacts | None) -> Iterator[str]:
    """Yield the links of the chain that say more than the sentence, and the container's state."""
    links = [link for link in finding.chain if link.name != "cause"]
    for link in links:
        if container and _is_about(link, container):
            continue
        if link.name == "symptom" and link.mark != "bad":
            continue
        yield link.text
        yield from link.evidence
    if container:
        yield from _container_evidence(container)


def _is_about(link: Link, container: ContainerFacts) -> bool:
    """Whether a link is what `inspect` says of the container, which follows in full."""
    return (
        link.name in ("container", "proxy") and link.source == f"engine: inspect {container.name}"
    )


def _container_evidence(container: ContainerFacts) -> Iterator[str]:
    if container.state in _ENDED:
        text = f"{container.name}: {exit_words(container.exit_code)}"
        if container.finished:
            text += f", at {local_time(container.finished)}"
        yield text
    else:
        yield " ".join(filter(None, (f"{container.name} is {container.state}", container.health)))
    if container.oom_killed:
        yield "OOMKilled: true"
    if container.error:
        yield f"State.Error: {container.error}"
    if container.is_unhealthy and container.health_output:
        yield f"health check: {' '.join(container.health_output.split())}"
    if container.runs and not container.is_unhealthy and not container.restart_count:
        return
    if container.log is None:
        yield "its log cannot be read: the logging driver keeps none"
        return
    for line in container.log[-LOG_LINES:]:
        yield f"log: {line.text}"
