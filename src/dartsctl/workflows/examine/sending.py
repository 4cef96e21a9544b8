"""Send the requests of a diagnosis, gently, and watch the proxy's connections. GET only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Literal

from dartsctl.config import certificates
from dartsctl.diagnosis.facts import CertificateEnd, CertificateFacts, HttpFacts, ProxyTurn
from dartsctl.edges.http import get
from dartsctl.edges.project import certificate_files
from dartsctl.records import record
from dartsctl.workflows.examine.connections import ConnectionTable, busy_places
from dartsctl.workflows.examine.pace import Pace

if TYPE_CHECKING:
    from dartsctl.diagnosis.nginx.limits import Limit
    from dartsctl.stack.bindings import Endpoint
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.examine.requests import ProbeRequest

PATIENCE = 7.0
"""Seconds within which the last request must be sent. The site's own limits may ask for more."""
_TURN, _ALL_TURNS = 1.0, 2.0
"""Seconds that the next request waits for an answer to the one before, and all of them."""
_SECOND_LOOK = 1.0
"""Seconds after which the proxy's connections are read while a request is still open."""


Look = Callable[[], ConnectionTable | None]
"""Reads the proxy's connections, None if they are not known."""


def _no_look() -> None:
    """Know nothing of the proxy's connections."""


@record
class RequestResults:
    """What came of the requests."""

    answers: tuple[HttpFacts, ...]
    certificates: tuple[CertificateFacts, ...] = ()
    """Problems of the certificates that the proxy has shown."""
    certificate_ends: tuple[CertificateEnd, ...] = ()
    """When those end that it has shown."""
    turns: tuple[ProxyTurn, ...] = ()
    """The proxy's connections meanwhile."""
    busy: tuple[Endpoint, ...] = ()
    """Where many of its connections led to before."""
    unsent: tuple[ProbeRequest, ...] = ()
    """Requests for which the site's own limits left no time."""


class RequestProbes:
    """Sends requests. `skew`: seconds that the engine's clock is ahead of ours."""

    def __init__(self, pool: ThreadPoolExecutor, deps: Deps, *, skew: float) -> None:
        self._pool = pool
        self._deps = deps
        self._skew = skew
        self._pace = Pace(deps)

    def send(self, requests: Sequence[ProbeRequest], *, look: Look = _no_look) -> RequestResults:
        """Send the requests and return the results, those through the proxy first.

        These are sent one after the other, as far as they are answered soon: what connects then
        is their own. They stay below the site's own limits. `look` reads the proxy's connections.
        """
        direct = [request for request in requests if not request.through_proxy]
        futures = [self._pool.submit(self._get, request) for request in direct]
        turns = _Turns(look)
        unsent = self._in_turn([row for row in requests if row.through_proxy], turns)
        turns.finish()
        sent = [*zip(turns.sent, turns.futures, strict=True), *zip(direct, futures, strict=True)]
        answers: list[HttpFacts] = []
        problems: list[CertificateFacts] = []
        ends: list[CertificateEnd] = []
        for request, future in sent:
            answer, certificate = future.result()
            answers.append(answer)
            if not certificate or not request.through_proxy:
                continue
            if dates := certificate_files.served(certificate):
                ends.append(CertificateEnd(request.url, dates[1], is_served=True))
                problems += self._certificate_problems(request, answer, dates)
        return RequestResults(
            answers=tuple(answers),
            certificates=tuple(problems),
            certificate_ends=tuple(ends),
            turns=tuple(turns.turns),
            busy=turns.busy,
            unsent=tuple(unsent),
        )

    def _in_turn(self, requests: Sequence[ProbeRequest], turns: _Turns) -> list[ProbeRequest]:
        """Send the requests one after the other; return those that would have come too late."""
        patience = min(_TURN, _ALL_TURNS / max(len(requests), 1))
        until = self._deps.monotonic() + PATIENCE
        unsent = []
        for request in requests:
            turns.make_room(request.limits, until - self._deps.monotonic())
            if not self._pace.wait_for(request.limits, until):
                unsent.append(request)
                continue
            if request.limits:
                turns.look_again()
            turns.add(request, self._pool.submit(self._get, request), patience)
            self._pace.used(request.limits)
        return unsent

    def _get(self, request: ProbeRequest) -> tuple[HttpFacts, bytes]:
        return send_now(request, began=self._deps.now() + self._skew)

    def _certificate_problems(
        self, request: ProbeRequest, answer: HttpFacts, dates: tuple[float, float]
    ) -> list[CertificateFacts]:
        """Return what is wrong with the dates of a certificate that the proxy has shown."""
        problem = certificates.date_problem(*dates, answer.began - self._skew)
        if not problem:
            return []
        sentence = f"the certificate at {request.url} {problem}"
        return [CertificateFacts(request.url, sentence, refusing=True, source="TLS handshake")]


def send_now(request: ProbeRequest, *, began: float) -> tuple[HttpFacts, bytes]:
    """Send one request. Return the answer, and the certificate (DER) that was shown.

    `began`: Unix time by the engine's clock.
    """
    response = get.get(
        request.address,
        request.port,
        request.path,
        host=request.host,
        tls=request.tls,
        deadline=request.deadline,
        proxy_protocol=request.proxy_protocol,
    )
    through: Literal["proxy", "direct"] = "proxy" if request.through_proxy else "direct"
    answer = HttpFacts(
        url=request.url,
        through=through,
        service=request.service,
        location=request.location,
        upstream=request.upstream,
        status=response.status,
        problem=response.problem,
        seconds=response.seconds,
        began=began,
        limits=request.limits,
        target=request.target,
    )
    return answer, response.certificate


class _Turns:
    """The requests through the proxy in their order, and what connected meanwhile."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._before = look()
        self.busy = busy_places(self._before or {})
        self.sent: list[ProbeRequest] = []
        self.futures: list[Future[tuple[HttpFacts, bytes]]] = []
        self.turns: list[ProxyTurn] = []

    def add(
        self, request: ProbeRequest, future: Future[tuple[HttpFacts, bytes]], patience: float
    ) -> None:
        """Wait for the answer to a request that was just sent, at most `patience` seconds."""
        late = self._late
        self.sent.append(request)
        self.futures.append(future)
        wait([future], timeout=patience)
        self._end_turn((*late, len(self.sent) - 1))

    def look_again(self) -> None:
        """Forget what connected since the last turn: none of it was ours."""
        self._before = self._look()

    def make_room(self, limits: Collection[Limit], timeout: float) -> None:
        """Wait until one more request is within the site's limits of connections."""
        for limit in limits:
            late = [index for index in self._late if limit in self.sent[index].limits]
            if limit.connections and len(late) >= limit.connections:
                wait([self.futures[index] for index in late], timeout=max(timeout, 0.0))

    def finish(self) -> None:
        """Wait for all answers."""
        for timeout in (_SECOND_LOOK, None):
            if late := self._late:
                wait([self.futures[index] for index in late], timeout=timeout)
                self._end_turn(late)

    @property
    def _late(self) -> tuple[int, ...]:
        """The requests that are not answered yet."""
        return tuple(index for index, future in enumerate(self.futures) if not future.done())

    def _end_turn(self, requests: tuple[int, ...]) -> None:
        before, after = self._before, self._look()
        self._before = after
        if before is None or after is None:
            return
        made = {connection.endpoint for connection in after if connection not in before}
        kept = {connection.endpoint for connection, is_open in before.items() if is_open}
        self.turns.append(ProxyTurn(requests, tuple(sorted(made)), tuple(sorted(kept))))
