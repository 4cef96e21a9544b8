"""An app accepts a connection and closes it without a whole answer."""

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

CAUSE = Cause.CLOSES_EARLY


def detect(facts: Facts) -> Iterator[Trouble]:
    for answer in bad_answers(facts):
        failure = answer.last(NginxFailure.CLOSED, NginxFailure.RESET)
        if failure is None or answer.starting or not facts.running(answer.http.upstream):
            continue
        port = answer.upstream.target.port if answer.upstream else 0
        yield answer_trouble(
            CAUSE,
            answer,
            facts,
            confidence="likely",
            sentence=(
                f"{answer.service} accepts connections on port {port} and closes them without an "
                f"answer; nginx says: {failure.failure.value}"
            ),
            failure=failure,
        )


repair = by_hand
