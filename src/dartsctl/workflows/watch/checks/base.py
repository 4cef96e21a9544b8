"""What each module in this package defines, and what it gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from dartsctl.ports.allocation import Allocation
from dartsctl.records import field, record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dartsctl.alerts.problem import Kind, Problem
    from dartsctl.diagnosis.facts import Facts
    from dartsctl.ports.strangers import Occupation
    from dartsctl.stack.model import Stack
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.examine.stack import Examination


@record
class CheckRules:
    """The thresholds, from the settings."""

    documented: Allocation = field(default_factory=lambda: Allocation({}))
    """Production's documented ports."""
    certificate_days: int = 14
    """How many days before its end a certificate is a problem; 0: never before."""
    disk_percent: int = 90


@record
class Examined:
    """What was examined in this look, for the checks. The engine has answered."""

    facts: Facts
    stack: Stack
    examination: Examination
    rules: CheckRules
    deps: Deps
    is_down: bool
    """Whether nothing of the stack is meant to run."""
    occupations: tuple[Occupation, ...] = ()
    """Who is on production's ports; none where the sockets are not this host's."""
    was_full: bool = False
    """Whether the disk was nearly full at the look before."""


class Check(Protocol):
    """One check: a module with these names, and a row in all_checks.CHECKS."""

    COVERS: frozenset[Kind]
    """The kinds of subjects that doctor says nothing about: without a problem they are good."""

    def check(self, examined: Examined) -> Iterable[Problem] | None:
        """Return what is wrong, None if it could not be checked. May raise DartsctlError."""
