"""A container that others need is paused: it accepts connections and never answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.container_state import containers, is_needed
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.repairs import by_hand
from dartsctl.diagnosis.trouble import Trouble, container_trouble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts

CAUSE = Cause.PAUSED


def detect(facts: Facts) -> Iterator[Trouble]:
    for service, container in containers(facts):
        if container.state == "paused" and is_needed(service, facts):
            yield container_trouble(
                CAUSE,
                service,
                container,
                facts,
                sentence=f"{container.name} is paused: it accepts connections and never answers",
                command=f"docker unpause {container.name}",
            )


repair = by_hand
