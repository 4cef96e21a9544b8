"""Production's ports: a stranger on one, while the stack is up or before the next deploy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.problems.of_stranger import stranger_problem

if TYPE_CHECKING:
    from dartsctl.alerts.problem import Kind, Problem
    from dartsctl.workflows.watch.checks.base import Examined

COVERS: frozenset[Kind] = frozenset()


def check(examined: Examined) -> list[Problem] | None:
    """Return a problem for each port with a stranger; None where the sockets are not ours."""
    facts = examined.facts
    if not facts.engine.is_here:
        return None
    taken = [row for row in examined.occupations if row.strangers]
    return [stranger_problem(row, facts.commands) for row in taken]
