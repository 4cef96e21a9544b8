"""nginx looks up a name for each request, and the name server is missing, silent or the wrong one.

Names of services are known only to Docker's own name server, 127.0.0.11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.bad_answers import BadAnswer, bad_answers
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.nginx.log import NginxFailure
from dartsctl.diagnosis.proxy_routes import (
    DOCKERS_RESOLVER,
    correction,
    front,
    is_address,
    passes,
    place,
    route_trouble,
    shares_host,
    then_restart,
    where,
)
from dartsctl.diagnosis.repairs import by_hand

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import ContainerFacts, Facts, UpstreamFacts
    from dartsctl.diagnosis.trouble import Trouble

CAUSE = Cause.RESOLVER
_FAILURES = (NginxFailure.NO_RESOLVER, NginxFailure.RESOLVER_DOWN, NginxFailure.NOT_RESOLVED)


def detect(facts: Facts) -> Iterator[Trouble]:
    proxy = front(facts)
    if proxy is None:
        return
    for answer in bad_answers(facts):
        upstream = answer.upstream
        if upstream is None or is_address(upstream.target.host) or upstream.looked_up_once:
            continue
        if answer.failure is None or answer.failure.failure in _FAILURES:
            yield from _of_answer(answer, upstream, proxy, facts)


def _of_answer(
    answer: BadAnswer, upstream: UpstreamFacts, proxy: ContainerFacts, facts: Facts
) -> Iterator[Trouble]:
    reason = _reason(answer, upstream, facts)
    if not reason:
        return
    host = upstream.target.host
    yield route_trouble(
        CAUSE,
        upstream,
        facts,
        sentence=(
            f"{proxy.service} looks up {host} for each request of {passes(upstream)}, and {reason}"
        ),
        command=_advice(upstream, proxy, facts),
        text=f"the name {host} could not be looked up",
        failure=answer.last(*_FAILURES),
        confidence="certain" if answer.failure else "likely",
        data={"resolver": ", ".join(upstream.routes[0].resolvers)},
    )


def _reason(answer: BadAnswer, upstream: UpstreamFacts, facts: Facts) -> str:
    """Return what is wrong with the name server; empty if nothing says that anything is."""
    asked = upstream.routes[0].resolvers
    if not asked:
        # nginx logs each request that it could not even try to look up.
        has_log = bool(facts.proxy and facts.proxy.log_source)
        is_blamed = answer.failure is not None or not has_log
        return "its configuration has no resolver" if is_blamed else ""
    is_wrong = bool(upstream.service) and DOCKERS_RESOLVER not in asked
    if answer.last(NginxFailure.RESOLVER_DOWN) and not (is_wrong and len(asked) > 1):
        which = "the name server" if len(asked) == 1 else "one of the name servers"
        return f"{which} {', '.join(asked)} does not answer"
    if is_wrong:
        return f"asks {', '.join(asked)}; only {DOCKERS_RESOLVER} knows the services of a stack"
    return ""


def _advice(upstream: UpstreamFacts, proxy: ContainerFacts, facts: Facts) -> str:
    asked, line = upstream.routes[0].resolvers, f"resolver {DOCKERS_RESOLVER} valid=10s;"
    if shares_host(proxy):
        return then_restart(
            f"give a name server of the host as `resolver` in {where(upstream, facts)}, "
            f"because a container on the host's network has no {DOCKERS_RESOLVER}",
            facts,
        )
    if DOCKERS_RESOLVER in asked:
        return f"{facts.commands.stack} logs {proxy.service}"
    if not asked:
        return then_restart(f"add `{line}` to the server block of {where(upstream, facts)}", facts)
    if not place(upstream):
        return correction(upstream, line, facts)
    return then_restart(
        f"write `{line}` instead of `resolver {' '.join(asked)}` for the route in "
        f"{where(upstream, facts)}",
        facts,
    )


repair = by_hand
