"""The proxy passes requests on to a unix socket that does not exist in its container."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.bad_answers import bad_answers
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.nginx.log import FailureCount, NginxFailure
from dartsctl.diagnosis.proxy_routes import (
    answered,
    front,
    passes,
    route_trouble,
    then_restart,
    where,
)
from dartsctl.diagnosis.repairs import by_hand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts
    from dartsctl.diagnosis.trouble import Trouble

CAUSE = Cause.MISSING_SOCKET
_FAILURES = (NginxFailure.NO_SOCKET, NginxFailure.REFUSED, NginxFailure.CONNECT)


def detect(facts: Facts) -> Iterator[Trouble]:
    proxy = front(facts)
    if proxy is None:
        return
    for answer in bad_answers(facts):
        failure, upstream = answer.last(*_FAILURES), answer.upstream
        if failure is None or upstream is None or not upstream.target.host.startswith("unix:"):
            continue
        path = "/" + upstream.target.host.removeprefix("unix:").lstrip("/")
        state = _state(failure)
        trouble = route_trouble(
            CAUSE,
            upstream,
            facts,
            sentence=(
                f"{proxy.service} passes {passes(upstream)} on to the socket {path}, {state}"
            ),
            command=then_restart(
                f"mount the volume with {path} into {proxy.service} and into the service that "
                f"listens on it, or name that service and a port in {where(upstream, facts)}",
                facts,
            ),
            text=f"{path}: {state}",
            failure=failure,
            data={"socket": path},
        )
        yield answered(trouble, answer)


def _state(failure: FailureCount) -> str:
    if failure.failure is NginxFailure.NO_SOCKET:
        return "which does not exist in its container"
    if failure.failure is NginxFailure.REFUSED:
        return "on which nobody listens"
    return "to which it cannot connect"


repair = by_hand
