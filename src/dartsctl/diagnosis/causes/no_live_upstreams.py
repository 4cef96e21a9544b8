"""nginx takes every server of an upstream block for dead, although the services run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.bad_answers import bad_answers
from dartsctl.diagnosis.findings import Cause, Finding, Link
from dartsctl.diagnosis.nginx.log import NginxFailure
from dartsctl.diagnosis.proxy_routes import front
from dartsctl.diagnosis.repairs import Repair, RepairAction
from dartsctl.diagnosis.trouble import Fix, Rank, Scope, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.bad_answers import BadAnswer
    from dartsctl.diagnosis.facts import ContainerFacts, Facts
    from dartsctl.diagnosis.nginx.log import FailureCount

CAUSE = Cause.NO_LIVE_UPSTREAMS


def detect(facts: Facts) -> Iterator[Trouble]:
    proxy = front(facts)
    if proxy is None:
        return
    for answer in bad_answers(facts):
        failure = answer.last(NginxFailure.NO_LIVE)
        if failure and failure is answer.failure:
            yield _trouble(answer, failure, proxy, facts)


def _trouble(
    answer: BadAnswer, failure: FailureCount, proxy: ContainerFacts, facts: Facts
) -> Trouble:
    servers = ", ".join(str(row.target) for row in answer.upstreams)
    sentence = f"{proxy.service} takes all servers of {failure.upstream} for dead"
    if servers:
        sentence += f" ({servers}), because requests to them failed shortly before"
    link = Link(
        "upstream",
        "bad",
        f"no live server in {failure.upstream}",
        evidence=(failure.line,),
        source=facts.proxy.log_source if facts.proxy else "",
    )
    return Trouble(
        cause=CAUSE,
        service=proxy.service,
        container=proxy.name,
        sentence=sentence,
        command=Fix(),
        rank=Rank(Scope.ANSWER, position=answer.position),
        confidence="likely",
        links=(link,),
        data={"upstream": failure.upstream},
        targets=tuple(sorted(facts.targets_of(answer.http))),
        http=answer.http,
    )


def repair(finding: Finding, facts: Facts) -> Repair:  # noqa: ARG001 - always the same
    """Reload nginx: it forgets which servers failed."""
    return Repair(RepairAction.RELOAD)
