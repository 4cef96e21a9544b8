"""Something is wrong, and no other cause fits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dartsctl.diagnosis.bad_answers import BadAnswer, answer_trouble, bad_answers
from dartsctl.diagnosis.causes.unhealthy import NO_ANSWER
from dartsctl.diagnosis.container_state import containers
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.nginx.log import NginxFailure
from dartsctl.diagnosis.repairs import by_hand
from dartsctl.diagnosis.taken_ports import port_troubles
from dartsctl.diagnosis.trouble import Trouble, container_trouble

if TYPE_CHECKING:
    from dartsctl.diagnosis.facts import Facts

CAUSE = Cause.UNKNOWN


def detect(facts: Facts) -> Iterator[Trouble]:
    yield from port_troubles(CAUSE, facts)
    for service, container in containers(facts):
        if container.state == "paused":
            yield container_trouble(
                CAUSE,
                service,
                container,
                facts,
                sentence=f"{container.name} is paused: it accepts connections and never answers",
                command=f"docker unpause {container.name}",
            )
    for answer in bad_answers(facts):
        if not _has_reason(answer):
            yield answer_trouble(CAUSE, answer, facts, confidence="possible")


def _has_reason(answer: BadAnswer) -> bool:
    """Whether another cause claims the answer."""
    if answer.starting:
        return True
    return bool(answer.failure and answer.failure.failure in (*NO_ANSWER, NginxFailure.HANDSHAKE))


repair = by_hand
