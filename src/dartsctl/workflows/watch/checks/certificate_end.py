"""The proxy's certificates: one ends soon. One that has ended is doctor's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.problems.of_certificate import ending_certificates

if TYPE_CHECKING:
    from dartsctl.alerts.problem import Kind, Problem
    from dartsctl.workflows.watch.checks.base import Examined

COVERS: frozenset[Kind] = frozenset()


def check(examined: Examined) -> list[Problem] | None:
    """Return the certificates that end soon; None where neither files nor the proxy were read."""
    facts = examined.facts
    if not facts.certificate_ends and not facts.engine.is_here:
        return None
    return list(ending_certificates(facts, examined.rules.certificate_days))
