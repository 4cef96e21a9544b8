"""What an answer through the proxy says about a stack that was just started."""

from __future__ import annotations

from typing import Any

import pytest

from dartsctl.diagnosis.proxy_answers import Reach, reach_of
from dartsctl.records import replace
from fakes.stack_facts import answer


def reach(status: int | None, kind: Any = "nginx", has_config: Any = True, **more: Any) -> Reach:
    made = replace(answer(status), **({"target": "app:5000"} | more))
    return reach_of(made, kind, has_config=has_config, started={"app"})


@pytest.mark.parametrize("status", [200, 301, 302, 401, 403, 404, 426, 429, 500])
def test_whatever_the_service_itself_answers_is_an_answer(status: int) -> None:
    assert reach(status) is Reach.ANSWERS


@pytest.mark.parametrize("status", [502, 503, 504])
def test_what_a_proxy_answers_for_a_silent_service_is_a_failure(
    status: int,
) -> None:  # edge-cases.md#72
    assert reach(status) is Reach.FAILS


@pytest.mark.parametrize("problem", ["fails: connection refused", "does not answer within 2.5 s"])
def test_no_answer_is_a_failure(problem: str) -> None:
    assert reach(None, problem=problem) is Reach.FAILS


@pytest.mark.parametrize(
    "problem",
    [
        "is closed without an answer",
        "answers something that is not HTTP",
        "fails in the TLS handshake: wrong version number",
    ],
)
def test_a_proxy_that_cannot_be_asked_is_unknown(problem: str) -> None:
    assert reach(None, problem=problem) is Reach.UNKNOWN


@pytest.mark.parametrize("status", [429, 503])
def test_a_limit_of_the_site_is_no_failure(status: int) -> None:
    assert reach(status, limited="limit_req") is Reach.ANSWERS


def test_a_service_that_was_not_started_is_elsewhere() -> None:
    assert reach(502, upstream="api", target="api:80") is Reach.ELSEWHERE


def test_a_host_outside_the_stack_is_elsewhere() -> None:
    assert reach(502, upstream="", target="app.example.org:8000") is Reach.ELSEWHERE


@pytest.mark.parametrize("target", ["127.0.0.1:5000", "localhost:5000", "[::1]:80", "unix:/x.sock"])
def test_the_proxy_s_own_container_is_not_outside_the_stack(target: str) -> None:
    assert reach(502, upstream="", target=target) is Reach.FAILS


def test_a_502_is_a_failure_too_where_it_is_unknown_who_is_behind_it() -> None:
    assert reach(502, upstream="", target="") is Reach.FAILS
    assert reach(502, upstream="", target="", has_config=False, kind="traefik") is Reach.FAILS


@pytest.mark.parametrize(
    ("kind", "has_config", "expected"),
    [
        ("nginx", True, Reach.ANSWERS),
        ("nginx", False, Reach.FAILS),
        ("haproxy", False, Reach.FAILS),
        ("other", False, Reach.ANSWERS),
    ],
    ids=["return 503", "nginx unread", "haproxy without a backend", "an app on port 80"],
)
def test_a_503_counts_only_where_it_comes_from_behind_the_proxy(
    kind: Any, has_config: bool, expected: Reach
) -> None:
    assert reach(503, upstream="", target="", kind=kind, has_config=has_config) is expected
