"""HTTP checks: the requests of the last look, one at a time, through the proxy and directly.

A failed check asks for a look. Whether it is an alert, and why it fails, is doctor's to say.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from dartsctl.diagnosis.limited import has_unexplained_refusal, mark_limited
from dartsctl.records import record
from dartsctl.workflows.examine.pace import Pace
from dartsctl.workflows.examine.sending import send_now
from dartsctl.workflows.watch.signals import LookWanted, Noticed

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from dartsctl.diagnosis.facts import HttpFacts
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.examine.requests import ProbeRequest
    from dartsctl.workflows.examine.stack import Examination
    from dartsctl.workflows.watch.known import Known
    from dartsctl.workflows.watch.request import WatchRequest
    from dartsctl.workflows.watch.signals import Emit

_JITTER = 0.2
"""The part of the interval by which a round comes earlier or later."""
_LONGEST_TURN = 0.05
"""Seconds that a request may wait for its turn below the site's own limits."""
_RECHECK = 3.0
"""Seconds until a check that has just failed is repeated."""
_FIRST_LOOK = 1.0
"""Seconds between two glances at whether the first look has ended."""
_LOOKS = 2
"""So many failures in a row each ask for a look; then the usual looks are enough."""
_LOG_DELAY = 0.3
"""Seconds by which a line of the proxy's log may be late."""


@record
class _Failure:
    """A URL that fails: how it did last, and how often in a row."""

    answer: str
    count: int = 1


class RequestChecks:
    """Asks every location on an interval, in one thread. Nothing is asked that is down on purpose.

    `interval`: seconds between two rounds. `chance`: returns a number from 0 to 1.
    """

    name = "requests"

    def __init__(
        self,
        known: Known,
        *,
        deps: Deps,
        interval: float,
        chance: Callable[[], float] = random.random,  # noqa: S311 - only a pause
    ) -> None:
        self._known = known
        self._deps = deps
        self._interval = interval
        self._chance = chance
        self._pace = Pace(deps)
        self._failures: dict[str, _Failure] = {}

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Check until `stop` is set."""
        while self._known.examination is None:
            if stop.wait(_FIRST_LOOK):
                return
        while not stop.wait(self._pause()):
            self.check(emit, stop)

    def check(self, emit: Emit, stop: threading.Event) -> None:
        """Send the requests that are due: those that have just failed, else all."""
        examination = self._known.examination
        if examination is None:
            return
        wanted = {request.url for request in examination.requests}
        self._failures = {url: row for url, row in self._failures.items() if url in wanted}
        seconds: dict[str, list[float | None]] = {}
        for request in self._due(examination.requests):
            if stop.is_set():
                return
            answer = self._ask(request, examination)
            if answer is None or answer.limited:
                continue
            if answer.status is not None:
                self._known.answers(answer.url)
            service = _service(request)
            seconds.setdefault(service, []).append(_seconds(answer))
            self._judge(answer, service, emit)
        for service, values in seconds.items():
            self._known.checked(service, _slowest(values))

    def _pause(self) -> float:
        if any(failure.count == 1 for failure in self._failures.values()):
            return _RECHECK
        return self._interval * (1 - _JITTER + 2 * _JITTER * self._chance())

    def _due(self, requests: Sequence[ProbeRequest]) -> list[ProbeRequest]:
        fresh = [url for url, failure in self._failures.items() if failure.count == 1]
        if not fresh:
            return list(requests)
        return [request for request in requests if request.url in fresh]

    def _may_ask(self, request: ProbeRequest, examination: Examination) -> bool:
        """Return whether an answer can be expected: by the last look, and by what is planned."""
        facts = examination.facts
        if not facts.has_containers:
            return False
        asked = {request.service, request.upstream} - {""}
        if any(self._known.is_planned(service) for service in asked):
            return False
        if request.service in facts.services:
            return bool(facts.running(request.service))
        return any(service.running for service in facts.services.values())

    def _ask(self, request: ProbeRequest, examination: Examination) -> HttpFacts | None:
        """Return the answer; None if it is not the time to ask, or was not when it came."""
        if not self._may_ask(request, examination):
            self._failures.pop(request.url, None)
            return None
        if not self._pace.wait_for(request.limits, self._deps.monotonic() + _LONGEST_TURN):
            return None
        skew = examination.facts.engine.skew
        answer, _ = send_now(request, began=self._deps.now() + skew)
        self._pace.used(request.limits)
        if not self._may_ask(request, examination):
            return None
        if has_unexplained_refusal((answer,), tuple(self._known.limited)):
            self._deps.sleep(_LOG_DELAY)
        lines, is_log_read = tuple(self._known.limited), self._known.follows_log
        return mark_limited((answer,), lines, is_log_read=is_log_read)[0]

    def _judge(self, answer: HttpFacts, service: str, emit: Emit) -> None:
        before = self._failures.pop(answer.url, None)
        if answer.is_bad:
            failure = _Failure(answer.answer)
            if before:
                failure = _Failure(answer.answer, before.count + 1)
            self._failures[answer.url] = failure
            if before is None or before.answer != failure.answer:
                emit(Noticed("request", service, answer.symptom, self._deps.now()))
            if failure.count <= _LOOKS:
                emit(LookWanted(answer.symptom))
        elif before:
            what = f"{answer.url} answers {answer.status} again"
            emit(Noticed("request", service, what, self._deps.now()))
            emit(LookWanted(what))


def make(request: WatchRequest, known: Known, deps: Deps) -> RequestChecks:
    """Return the checks of one watch."""
    return RequestChecks(known, deps=deps, interval=request.settings.interval)


def _service(request: ProbeRequest) -> str:
    """Return the service that a check is about."""
    return request.upstream or request.service


def _seconds(answer: HttpFacts) -> float | None:
    if answer.is_bad:
        return None
    return answer.seconds


def _slowest(seconds: Sequence[float | None]) -> float | None:
    """Return the longest time; None if a check failed."""
    slowest = 0.0
    for value in seconds:
        if value is None:
            return None
        slowest = max(slowest, value)
    return slowest
