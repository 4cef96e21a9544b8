"""A problem, as a source of `watch` or `doctor` describes it at one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dartsctl.records import field, record

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["service", "port", "engine", "certificate", "disk", "site"]
"""What a subject is. `site`: what is asked through the proxy and belongs to no service."""
Severity = Literal["critical", "warning"]


@record(order=True)
class Subject:
    """What a problem is about: `service darts-app`, `port 5000/tcp`. One episode for each."""

    kind: Kind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind


@record
class Problem:
    """One thing that is wrong, with its root cause.

    `cause` is the value of a `diagnosis.findings.Cause`, or one of the causes that only `watch`
    knows (alerts/causes.py). The texts are already masked.
    """

    subject: Subject
    cause: str
    sentence: str
    """What happened and why, in one sentence without a full stop."""
    command: str = ""
    """What repairs it: a command, or advice in words."""
    severity: Severity = "critical"
    evidence: tuple[str, ...] = ()
    """Exit code, OOM, State.Error, the last health check, the end of the log; a line each."""
    since: float | None = None
    """When it began, Unix time in seconds; None: when it was seen first."""
    affected: tuple[Subject, ...] = ()
    """What follows from it: the episodes of these subjects are muted by this one."""
    data: Mapping[str, object] = field(default_factory=dict)
    """Details for programs: exit_code, holder, pid, port."""
