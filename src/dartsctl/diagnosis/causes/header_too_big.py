"""An app answers with a header that is larger than nginx's buffer for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.bad_answers import bad_answers
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.nginx.log import NginxFailure
from dartsctl.diagnosis.proxy_routes import answered, front, route_trouble, then_restart, where
from dartsctl.diagnosis.repairs import by_hand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts
    from dartsctl.diagnosis.trouble import Trouble

CAUSE = Cause.HEADER_TOO_BIG


def detect(facts: Facts) -> Iterator[Trouble]:
    if front(facts) is None:
        return
    for answer in bad_answers(facts):
        failure, upstream = answer.last(NginxFailure.TOO_BIG_HEADER), answer.upstream
        if failure is None or upstream is None:
            continue
        directive = "proxy" if "http" in upstream.routes[0].scheme else upstream.routes[0].scheme
        size = f"`{directive}_buffer_size 32k; {directive}_buffers 8 32k;`"
        trouble = route_trouble(
            CAUSE,
            upstream,
            facts,
            sentence=(
                f"{answer.service} answers {answer.http.location} with a header that is larger "
                "than nginx's buffer"
            ),
            command=then_restart(
                f"add {size} to the location of {where(upstream, facts)}, or make the cookies and "
                f"headers of {answer.service} smaller",
                facts,
            ),
            text=f"the header of the answer of {upstream.target} is too big",
            failure=failure,
        )
        yield answered(trouble, answer)


repair = by_hand
