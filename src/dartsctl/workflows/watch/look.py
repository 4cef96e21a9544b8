"""A look: doctor's examination of the stack, as an observation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.observations import Looked
from dartsctl.alerts.problem import Problem, Subject
from dartsctl.workflows.examine.stack import examine

if TYPE_CHECKING:
    from dartsctl.diagnosis.findings import Finding
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.examine.probes import ExamineRequest


def look(request: ExamineRequest, *, deps: Deps) -> Looked:
    """Return what is wrong with the stack now, by root cause."""
    examination = examine(request, deps=deps)
    problems = tuple(_problem(finding) for finding in examination.diagnosis.findings)
    return Looked(problems, frozenset(("service", "site", "engine", "certificate")))


def _problem(finding: Finding) -> Problem:
    evidence: list[str] = []
    for link in finding.chain:
        evidence += [link.text, *link.evidence]
    return Problem(
        Subject("service", finding.service),
        finding.cause.value,
        finding.sentence,
        finding.command,
        evidence=tuple(evidence),
        data=finding.data,
    )
