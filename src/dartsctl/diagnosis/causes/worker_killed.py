"""A worker process that handled the request was killed: of nginx itself, or of the app's server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.bad_answers import BadAnswer, answer_trouble, bad_answers
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.nginx.log import NginxFailure
from dartsctl.diagnosis.proxy_path import SLACK
from dartsctl.diagnosis.proxy_routes import front
from dartsctl.diagnosis.repairs import by_hand
from dartsctl.diagnosis.trouble import Rank, Scope, Trouble, container_trouble
from dartsctl.records import replace
from dartsctl.text.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts, LoggedLine

CAUSE = Cause.WORKER_KILLED
_LINES = regex(
    r"WORKER TIMEOUT|Worker \(pid:\d+\) was (?:sent|terminated due to) (?:SIG|signal)"
    r"|DAMN ! worker \d+ .*died|child \d+ exited on signal"
)
"""gunicorn, uWSGI, php-fpm."""


def detect(facts: Facts) -> Iterator[Trouble]:
    for answer in bad_answers(facts):
        yield from _of_app(answer, facts)
        yield from _of_proxy(answer, facts)


def _of_app(answer: BadAnswer, facts: Facts) -> Iterator[Trouble]:
    failure = answer.last(NginxFailure.CLOSED, NginxFailure.RESET, NginxFailure.READ_TIMEOUT)
    if failure is None:
        return
    for container in facts.running(answer.http.upstream):
        if line := _killed(container.log or (), answer):
            yield answer_trouble(
                CAUSE,
                answer,
                facts,
                confidence="likely",
                sentence=(
                    f"a worker process of {answer.service} was killed while it answered "
                    f"{answer.http.location}"
                ),
                failure=failure,
                evidence=(f"log of {container.name}: {line.text[:300]}",),
            )


def _killed(log: tuple[LoggedLine, ...], answer: BadAnswer) -> LoggedLine | None:
    """Return the last line since the request that says that a worker was killed."""
    for line in reversed(log):
        is_recent = line.when is not None and line.when >= answer.http.began - SLACK
        if is_recent and _LINES.search(line.text):
            return line
    return None


def _of_proxy(answer: BadAnswer, facts: Facts) -> Iterator[Trouble]:
    proxy, service, container = facts.proxy, facts.proxy_service, front(facts)
    if proxy is None or service is None or container is None or answer.http.status is not None:
        return
    for failure in reversed(proxy.failures):
        is_recent = failure.last is not None and failure.last >= answer.http.began - SLACK
        if failure.failure is NginxFailure.WORKER_KILLED and is_recent:
            trouble = container_trouble(
                CAUSE,
                service,
                container,
                facts,
                sentence=f"a worker process of {service.name} was killed: {failure.example}",
                command=f"{facts.commands.stack} logs {service.name}",
                confidence="likely",
                is_container_bad=False,
            )
            link = replace(trouble.links[0], evidence=(failure.line,), source=proxy.log_source)
            yield replace(
                trouble,
                links=(link,),
                rank=Rank(Scope.ANSWER, position=answer.position),
                http=answer.http,
            )
            return


repair = by_hand
