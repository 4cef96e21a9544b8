"""Something is wrong, and no other cause fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.bad_answers import BadAnswer, answer_trouble, bad_answers
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.proxy_kinds import recognise
from dartsctl.diagnosis.repairs import by_hand
from dartsctl.diagnosis.taken_ports import port_troubles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts
    from dartsctl.diagnosis.trouble import Trouble

CAUSE = Cause.UNKNOWN
_OF_A_PROXY = (502, 503, 504)
"""The status of an answer that a proxy gives for the service behind it."""


def detect(facts: Facts) -> Iterator[Trouble]:
    yield from port_troubles(CAUSE, facts)
    for answer in bad_answers(facts):
        command = _examine_inner_proxy(answer, facts)
        yield answer_trouble(CAUSE, answer, facts, confidence="possible", command=command)


def _examine_inner_proxy(answer: BadAnswer, facts: Facts) -> str:
    """Return the command that examines an nginx behind the proxy; empty if there is none."""
    service = answer.http.upstream
    for container in facts.running(service):
        evidence = recognise(service, container.image, (), is_built=False)
        is_nginx = evidence is not None and evidence.kind == "nginx"
        if is_nginx and answer.http.status in _OF_A_PROXY:
            return f"{facts.commands.doctor} --proxy {service}"
    return ""


repair = by_hand
