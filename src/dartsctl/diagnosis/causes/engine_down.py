"""The Docker engine does not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.findings import Cause, Link
from dartsctl.diagnosis.repairs import by_hand
from dartsctl.diagnosis.trouble import Rank, Scope, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts

CAUSE = Cause.ENGINE_DOWN


def detect(facts: Facts) -> Iterator[Trouble]:
    engine = facts.engine
    if engine.answers:
        return
    containers = Link("container", "unknown", "the state of the containers is unknown")
    cause = Link(
        "cause", "bad", engine.problem, evidence=(engine.endpoint,), source="engine: version"
    )
    yield Trouble(
        cause=CAUSE,
        service="",
        sentence=engine.problem,
        command=engine.hint,
        rank=Rank(Scope.ENGINE),
        links=(containers, cause),
        data={"endpoint": engine.endpoint},
    )


repair = by_hand
