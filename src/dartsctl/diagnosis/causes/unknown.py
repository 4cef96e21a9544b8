"""Something is wrong, and no other cause fits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dartsctl.diagnosis.bad_answers import answer_trouble, bad_answers
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.repairs import by_hand
from dartsctl.diagnosis.taken_ports import port_troubles

if TYPE_CHECKING:
    from dartsctl.diagnosis.facts import Facts
    from dartsctl.diagnosis.trouble import Trouble

CAUSE = Cause.UNKNOWN


def detect(facts: Facts) -> Iterator[Trouble]:
    yield from port_troubles(CAUSE, facts)
    for answer in bad_answers(facts):
        yield answer_trouble(CAUSE, answer, facts, confidence="possible")


repair = by_hand
