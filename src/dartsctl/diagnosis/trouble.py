"""Trouble: one thing that is wrong with a service, be it a root cause or an effect."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from dartsctl.diagnosis.findings import Cause, Confidence, Link
from dartsctl.records import field, record
from dartsctl.text.phrases import duration, local_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dartsctl.diagnosis.facts import ContainerFacts, Facts, HttpFacts, ServiceFacts

_LAST_LINES = 5
_EXITS = {
    126: "its command cannot be executed",
    127: "its command was not found",
    134: "aborted",
    137: "killed (SIGKILL: a stop that took too long, `docker kill`, or a kill on the host)",
    139: "crashed (SIGSEGV)",
    143: "ended by SIGTERM (a stop)",
}


class Scope(IntEnum):
    """What shows a trouble. Of two troubles of one service the lower scope is reported."""

    ENGINE = 0
    """The engine itself. It hides everything else."""
    PORT = 1
    """A published port that cannot be bound."""
    CONTAINER = 2
    """The service's containers."""
    PATH = 3
    """The path from the proxy to the service."""
    ANSWER = 4
    """Only the answer to a request. Reported where no other trouble explains it."""


class Rank(NamedTuple):
    """Of several troubles of a service the one with the lowest rank is reported.

    Between equal ranks the order of all_causes.CAUSES decides.
    """

    scope: Scope
    is_doubtful: bool = False
    position: int = 0
    """Index of the container in its service, of the upstream or of the request in the facts."""


@record
class Fix:
    """The command `doctor --fix` of this stack, with further options."""

    options: str = ""


@record(kw_only=True)
class Trouble:
    """One thing that is wrong. `diagnose` decides whether it is a root cause."""

    cause: Cause
    service: str
    sentence: str
    command: str | Fix
    rank: Rank
    container: str = ""
    confidence: Confidence = "certain"
    links: tuple[Link, ...] = ()
    data: Mapping[str, object] = field(default_factory=dict)
    because_of: tuple[str, ...] = ()
    """Services whose own trouble would explain this one."""
    targets: tuple[str, ...] = ()
    """Of a trouble of the proxy: the upstreams that it is about (`app:5000`); none: all."""
    is_aside: bool = False
    """No failed request follows from it: a warning, or something that only browsers refuse."""
    http: HttpFacts | None = None
    """With Scope.ANSWER: the request that was answered."""
    silent_symptom: str = ""
    """What users see although no request of ours failed."""

    @property
    def key(self) -> tuple[str, tuple[str, ...]]:
        """Of all troubles with one key the one with the lowest rank is reported."""
        if self.http and not self.targets:
            return self.service, (self.http.target,)
        return self.service, self.targets

    def has_link(self, name: str) -> bool:
        return any(link.name == name for link in self.links)


def container_trouble(
    cause: Cause,
    service: ServiceFacts,
    container: ContainerFacts,
    facts: Facts,
    *,
    sentence: str,
    command: str | Fix,
    confidence: Confidence = "certain",
    links: tuple[Link, ...] = (),
    data: Mapping[str, object] | None = None,
    because_of: tuple[str, ...] = (),
    is_container_bad: bool = True,
) -> Trouble:
    """Return a trouble that one container of a service shows. Its chain begins there."""
    position = service.containers.index(container)
    return Trouble(
        cause=cause,
        service=container.service,
        container=container.name,
        sentence=sentence,
        command=command,
        rank=Rank(Scope.CONTAINER, confidence != "certain", position),
        confidence=confidence,
        links=(container_link(container, facts, bad=is_container_bad), *links),
        data=data or {},
        because_of=because_of,
    )


def exit_words(code: int) -> str:
    """`exit code 127: its command was not found`."""
    if code in _EXITS:
        return f"exit code {code}: {_EXITS[code]}"
    return f"exit code {code}"


def container_link(container: ContainerFacts, facts: Facts, *, bad: bool = True) -> Link:
    """Return the link for a container: its state, and as evidence errors and the end of its log."""
    return Link(
        "container",
        "bad" if bad else "ok",
        _state(container, facts),
        evidence=tuple(_evidence(container, bad=bad)),
        source=f"engine: inspect {container.name}",
    )


def _state(container: ContainerFacts, facts: Facts) -> str:
    text = f"{container.name} is {container.state}"
    if container.runs:
        if container.started:
            text += f" for {duration(facts.now - container.started)}"
        if container.health:
            text += f", {container.health}"
    elif container.state in ("exited", "dead", "restarting"):
        text += f", {exit_words(container.exit_code)}"
        if container.finished:
            text += f", at {local_time(container.finished)}"
    return text


def _evidence(container: ContainerFacts, *, bad: bool) -> list[str]:
    lines = []
    if container.error:
        lines.append(f"State.Error: {container.error}")
    if container.oom_killed:
        lines.append("OOMKilled: true")
    if container.is_unhealthy and container.health_output:
        lines.append(f"health check: {shortened(container.health_output)}")
    if bad and (container.is_unhealthy or not container.runs):
        if container.log is None:
            lines.append("its log cannot be read: the logging driver keeps none")
        else:
            lines += [f"end of its log: {line.text[:300]}" for line in container.log[-_LAST_LINES:]]
    return lines


def shortened(text: str) -> str:
    """Return the first 200 characters of `text`, as one line."""
    return " ".join(text.split())[:200]
