"""The proxy passes requests on to a name that is no service of this stack, and not found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.repairs import by_hand
from dartsctl.diagnosis.unknown_names import unknown_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts
    from dartsctl.diagnosis.trouble import Trouble

CAUSE = Cause.EXTERNAL_UPSTREAM


def detect(facts: Facts) -> Iterator[Trouble]:
    for name in unknown_names(facts):
        if not name.similar:
            yield name.external(CAUSE, facts)


repair = by_hand
