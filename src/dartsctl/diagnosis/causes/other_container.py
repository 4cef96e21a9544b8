"""A container outside the stack holds a port that a service publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.repairs import free_and_start
from dartsctl.diagnosis.taken_ports import port_troubles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts
    from dartsctl.diagnosis.trouble import Trouble

CAUSE = Cause.OTHER_CONTAINER


def detect(facts: Facts) -> Iterator[Trouble]:
    return port_troubles(CAUSE, facts)


repair = free_and_start
