"""The proxy does not run, and nothing says that it could not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.proxy_end import ends
from dartsctl.diagnosis.repairs import start_again
from dartsctl.diagnosis.trouble import Fix, Trouble
from dartsctl.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts

CAUSE = Cause.PROXY_DOWN


def detect(facts: Facts) -> Iterator[Trouble]:
    for end in ends(facts):
        yield replace(end, cause=CAUSE, command=Fix())


repair = start_again
