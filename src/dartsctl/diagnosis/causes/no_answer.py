"""An app accepts connections and does not answer in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.bad_answers import BadAnswer, answer_trouble, bad_answers
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.nginx.log import NginxFailure
from dartsctl.diagnosis.repairs import by_hand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts
    from dartsctl.diagnosis.trouble import Trouble

CAUSE = Cause.NO_ANSWER


def detect(facts: Facts) -> Iterator[Trouble]:
    for answer in bad_answers(facts):
        if answer.starting or not facts.running(answer.http.upstream):
            continue
        failure = answer.last(NginxFailure.READ_TIMEOUT)
        if failure or _is_late(answer, facts):
            yield answer_trouble(
                CAUSE,
                answer,
                facts,
                confidence="likely",
                sentence=(
                    f"{answer.service} accepts connections and does not answer in time: "
                    f"{answer.http.symptom}"
                ),
                failure=failure,
                evidence=answer.upstream.results if answer.upstream else (),
            )


def _is_late(answer: BadAnswer, facts: Facts) -> bool:
    """Whether the app is open to connections, and the request still waits without a failure.

    nginx itself waits for a minute before it logs anything.
    """
    if answer.http.status is not None or "does not answer" not in answer.http.problem:
        return False
    if answer.failure is not None or answer.upstream is None:
        return False
    if any(connect.result == "open" for connect in answer.upstream.tried):
        return True
    port = answer.upstream.target.port
    return any(
        place.port == port
        for container in facts.running(answer.http.upstream)
        for place in container.listening or ()
    )


repair = by_hand
