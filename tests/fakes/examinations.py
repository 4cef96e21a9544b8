"""What a look has found, for tests of what uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dartsctl.diagnosis.facts import Commands
from dartsctl.diagnosis.findings import Diagnosis, Finding
from dartsctl.workflows.examine.probes import ExamineRequest
from dartsctl.workflows.examine.stack import Examination
from fakes.preflights import ENVIRONMENT
from fakes.stack_facts import facts

if TYPE_CHECKING:
    from dartsctl.diagnosis.facts import ServiceFacts
    from dartsctl.workflows.examine.requests import ProbeRequest


def examination(
    *services: ServiceFacts,
    requests: tuple[ProbeRequest, ...] = (),
    findings: tuple[Finding, ...] = (),
    **more: Any,
) -> Examination:
    """Return what a look has found at the small stack of stack_facts.py."""
    request = ExamineRequest(ENVIRONMENT, Commands())
    return Examination(
        request, facts(*services, **more), Diagnosis(findings, ()), requests=requests
    )
