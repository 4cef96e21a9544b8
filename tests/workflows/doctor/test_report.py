"""The last line of a diagnosis says no more than what was asked."""

from __future__ import annotations

import pytest

from dartsctl.diagnosis.diagnose import diagnose
from dartsctl.edges.screen.output import Screen
from dartsctl.records import replace
from dartsctl.workflows.doctor import report
from fakes.stack_facts import answer, facts


@pytest.mark.parametrize(
    ("http", "line"),
    [
        ((answer(200),), "shop is healthy: 2 services, 1 request answered"),
        ((), "no fault was found in shop, but no request was answered"),
        (
            (replace(answer(503), limited="asked too often"),),
            "no fault was found in shop, but no request was answered",
        ),
    ],
    ids=["answered", "nothing to ask", "limited"],
)
def test_a_proxy_that_answered_nothing_is_not_called_healthy(
    http: tuple[object, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = facts(http=http)
    report.show(stack, diagnose(stack), Screen())
    assert line in capsys.readouterr().err
