"""What each module in this package defines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dartsctl.diagnosis.facts import Facts
    from dartsctl.diagnosis.findings import Cause, Finding
    from dartsctl.diagnosis.repairs import Repair
    from dartsctl.diagnosis.trouble import Trouble


class CauseModule(Protocol):
    """One cause. A module that defines these names and has a row in all_causes.CAUSES."""

    CAUSE: Cause

    def detect(self, facts: Facts) -> Iterable[Trouble]:
        """Return every trouble with this cause. Another trouble may turn out to be its root."""

    def repair(self, finding: Finding, facts: Facts) -> Repair:
        """Return what `doctor --fix` does about a finding with this cause.

        A cause that only a person can repair says `repair = by_hand`. `finding` does harm, and
        its service is one of `facts`.
        """
