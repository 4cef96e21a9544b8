"""Answers that say only that the site was asked too often (edge-cases.md#72)."""

from __future__ import annotations

from typing import Any

import pytest

from dartsctl.diagnosis.diagnose import diagnose
from dartsctl.diagnosis.facts import HttpFacts
from dartsctl.diagnosis.limited import has_unexplained_refusal, mark_limited
from dartsctl.diagnosis.nginx.limits import Limit, LimitedRequest
from dartsctl.records import replace
from fakes.stack_facts import NOW, answer, facts

SITE = Limit("site", 1.0)
REFUSED = LimitedRequest("site", "/", is_refused=True, when=NOW)
DELAYED = replace(REFUSED, is_refused=False)


def marked(http: HttpFacts, *lines: LimitedRequest, is_log_read: bool = True) -> HttpFacts:
    (result,) = mark_limited([http], lines, is_log_read=is_log_read)
    return result


@pytest.mark.parametrize(
    ("status", "limits", "lines", "reason"),
    [
        (503, (SITE,), (REFUSED,), "asked too often, says nginx's zone site"),
        (503, (), (REFUSED,), "asked too often, says nginx's zone site"),
        (429, (), (), "asked too often"),
        (None, (SITE,), (DELAYED,), "asked too often: nginx's zone site delays the request"),
        (
            503,
            (replace(SITE, is_logged=False),),
            (),
            "perhaps asked too often: limit_req zone site refuses so, and no log says when",
        ),
    ],
)
def test_a_limited_request_is_no_failure(
    status: int | None, limits: tuple[Limit, ...], lines: tuple[LimitedRequest, ...], reason: str
) -> None:
    http = marked(answer(status, limits=limits), *lines)
    assert http.limited == reason
    assert not http.is_bad
    assert http.answer.endswith(reason)
    diagnosis = diagnose(facts(http=(http,)))
    assert (diagnosis.healthy, diagnosis.symptoms) == (True, ())


@pytest.mark.parametrize(
    ("status", "limits", "lines"),
    [
        pytest.param(503, (SITE,), (), id="the log has every refusal, and none of this one"),
        pytest.param(503, (), (), id="the app's own answer"),
        pytest.param(503, (SITE,), (replace(REFUSED, when=NOW - 60),), id="an old line"),
        pytest.param(503, (SITE,), (replace(REFUSED, path="/api"),), id="another location's line"),
        pytest.param(503, (SITE,), (DELAYED,), id="a delayed request that failed"),
        pytest.param(502, (replace(SITE, is_logged=False),), (), id="another status"),
        pytest.param(None, (SITE,), (), id="no answer, and no delay"),
    ],
)
def test_a_failure_stays_one(
    status: int | None, limits: tuple[Limit, ...], lines: tuple[LimitedRequest, ...]
) -> None:
    http = marked(answer(status, limits=limits), *lines)
    assert http.is_bad
    assert not diagnose(facts(http=(http,))).healthy


def test_an_unread_log_leaves_a_refusal_possible() -> None:
    http = answer(503, limits=(SITE,))
    assert marked(http).is_bad
    assert not marked(http, is_log_read=False).is_bad


def test_a_good_answer_is_never_marked() -> None:
    assert marked(answer(200, limits=(SITE,)), REFUSED).limited == ""


@pytest.mark.parametrize(
    ("status", "lines", "expected"),
    [(503, (), True), (503, (REFUSED,), False), (200, (), False), (502, (), False)],
)
def test_a_line_that_may_be_late_is_waited_for(
    status: int, lines: tuple[LimitedRequest, ...], expected: bool
) -> None:
    http = answer(status, limits=(SITE,))
    assert has_unexplained_refusal([http], lines) is expected


def test_the_pause_of_a_stack_is_that_of_its_strictest_limit() -> None:
    def pause(*limits: Limit) -> float:
        more: dict[str, Any] = {"http": (answer(200, limits=limits),)}
        return facts(**more).pause

    assert pause() == 0.0
    assert pause(SITE, Limit("slow", 0.25)) == Limit("slow", 0.25).pause
