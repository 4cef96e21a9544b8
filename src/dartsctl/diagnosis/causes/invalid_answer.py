"""An app answers with something that is no valid HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.bad_answers import answer_trouble, bad_answers
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.nginx.log import NginxFailure
from dartsctl.diagnosis.repairs import by_hand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts
    from dartsctl.diagnosis.trouble import Trouble

CAUSE = Cause.INVALID_ANSWER


def detect(facts: Facts) -> Iterator[Trouble]:
    for answer in bad_answers(facts):
        failure = answer.last(NginxFailure.INVALID_ANSWER)
        if failure and facts.running(answer.http.upstream):
            yield answer_trouble(
                CAUSE,
                answer,
                facts,
                confidence="likely",
                sentence=(
                    f"{answer.service} answers on port {_port(failure.upstream)} with something "
                    "that is no valid HTTP"
                ),
                failure=failure,
            )


def _port(upstream: str) -> str:
    return upstream.rpartition(":")[2]


repair = by_hand
