"""The proxy speaks another protocol than its upstream: https to a plain port, http to a TLS port,
uwsgi, FastCGI or gRPC to an http port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.bad_answers import BadAnswer, answer_of
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.nginx.log import NginxFailure
from dartsctl.diagnosis.proxy_routes import (
    answered,
    correction,
    front,
    passes,
    passing_to,
    route_trouble,
    then_restart,
    where,
)
from dartsctl.diagnosis.repairs import by_hand
from dartsctl.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts, UpstreamFacts
    from dartsctl.diagnosis.trouble import Trouble

CAUSE = Cause.WRONG_PROTOCOL
_FAILURES = (NginxFailure.NOT_TLS, NginxFailure.OTHER_PROTOCOL)
_SECURE = {"http": "https", "grpc": "grpcs", "uwsgi": "suwsgi"}
_PLAIN = {secure: plain for plain, secure in _SECURE.items()}
_BINARY = ("uwsgi", "scgi", "fastcgi")
_WORDS = {"fastcgi": "FastCGI", "grpc": "gRPC", "grpcs": "gRPC with TLS", "scgi": "SCGI"}


def detect(facts: Facts) -> Iterator[Trouble]:
    if front(facts) is None:
        return
    for position, http in enumerate(facts.http):
        if http.through == "proxy" and (http.is_bad or http.status == 400):
            answer = answer_of(position, http, facts)
            for upstream in answer.upstreams:
                if wanted := _wanted(upstream, answer):
                    yield _trouble(upstream, answer, wanted, facts)


def _wanted(upstream: UpstreamFacts, answer: BadAnswer) -> str:
    """Return the scheme that the upstream really speaks; empty if nothing is wrong with it."""
    scheme = upstream.routes[0].scheme if upstream.routes else ""
    if answer.last(NginxFailure.NOT_TLS) and scheme in _PLAIN:
        return _PLAIN[scheme]
    if upstream.speaks == "tls" and scheme not in _PLAIN:
        return _SECURE.get(scheme, "https")
    is_refused = answer.last(NginxFailure.OTHER_PROTOCOL) is not None
    if upstream.speaks == "http" and (scheme in _BINARY or is_refused):
        return "http"
    return "another protocol" if is_refused else ""


def _trouble(upstream: UpstreamFacts, answer: BadAnswer, wanted: str, facts: Facts) -> Trouble:
    name = facts.proxy.service if facts.proxy else ""
    scheme, target = upstream.routes[0].scheme, upstream.target
    spoken = {"http": "plain http", "https": "TLS", "grpcs": "TLS", "suwsgi": "TLS"}
    what = spoken.get(wanted, wanted)
    command = correction(upstream, _directive(upstream, wanted), facts)
    if wanted == "another protocol" or upstream.routes[0].group:
        command = then_restart(
            f"write the protocol of {target} instead of {upstream.routes[0].written} "
            f"in {where(upstream, facts)}",
            facts,
        )
    trouble = route_trouble(
        CAUSE,
        upstream,
        facts,
        sentence=(
            f"{name} speaks {_WORDS.get(scheme, scheme)} to {target} for {passes(upstream)}, "
            f"and {target} speaks {what}"
        ),
        command=command,
        text=f"{target} does not speak {_WORDS.get(scheme, scheme)}",
        failure=answer.last(*_FAILURES),
        data={"spoken": scheme, "expected": wanted},
    )
    if answer.http.is_bad:
        return answered(trouble, answer)
    return replace(trouble, silent_symptom=answer.http.symptom)


def _directive(upstream: UpstreamFacts, wanted: str) -> str:
    return passing_to(upstream, upstream.target.host, upstream.target.port, wanted)


repair = by_hand
