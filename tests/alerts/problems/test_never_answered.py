"""A port that may speak no HTTP is no alert."""

from __future__ import annotations

import pytest

from dartsctl.alerts.problems.never_answered import never_answered
from dartsctl.diagnosis.diagnose import diagnose
from dartsctl.diagnosis.facts import Facts, HttpFacts, ProxyFacts
from dartsctl.records import replace
from fakes.stack_facts import facts

URL = "http://127.0.0.1:26981/"
RESET = HttpFacts(URL, "proxy", "web", "/", problem="fails: connection reset by peer")
OTHER = ProxyFacts("web", "other", None)


def silent(http: HttpFacts = RESET, proxy: ProxyFacts = OTHER) -> Facts:
    return facts(proxy=proxy, upstreams=(), http=(http,))


def is_excused(now: Facts, *answered: str) -> bool:
    (finding,) = diagnose(now).findings
    return never_answered(finding, now, answered)


@pytest.mark.parametrize(
    "problem",
    [
        "fails: connection reset by peer",
        "closes the connection without an answer",
        "answers with something that is no HTTP",
        "does not answer within 2.5 s",
    ],
)
def test_a_port_that_never_answered_http_is_no_alert(problem: str) -> None:
    assert is_excused(silent(replace(RESET, problem=problem)))


def test_one_that_has_answered_before_is_one() -> None:
    assert not is_excused(silent(), URL)
    assert is_excused(silent(), "http://127.0.0.1:1/")


def test_an_answer_with_an_error_is_http() -> None:
    assert not is_excused(silent(replace(RESET, problem="", status=500)))


def test_a_proxy_is_meant_to_answer() -> None:
    assert not is_excused(silent(proxy=ProxyFacts("web", "traefik", None)))
