"""A look: doctor's examination of the stack, as an observation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.observations import Looked
from dartsctl.alerts.problem import Problem, Subject
from dartsctl.workflows.examine.stack import examine
from dartsctl.workflows.watch.users_errors import unexplained

if TYPE_CHECKING:
    from dartsctl.diagnosis.findings import Finding
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.examine.probes import ExamineRequest
    from dartsctl.workflows.watch.known import Known


def look(request: ExamineRequest, known: Known, *, deps: Deps) -> Looked:
    """Return what is wrong with the stack now, by root cause. `known` learns what was seen."""
    examination = examine(request, deps=deps)
    known.learn(examination)
    problems = tuple(_problem(finding) for finding in examination.diagnosis.findings)
    problems += unexplained(known, examination, deps.now())
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
