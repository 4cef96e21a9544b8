"""What --dry-run says of a policy: each thing that would be done, or why nothing would be."""

from __future__ import annotations

import pytest

from dartsctl.ports.cases import Kind
from dartsctl.ports.resolution import Policy, Request
from dartsctl.workflows.up.outlook import foresee
from fakes.conflict_cases import CASES


def asked(policy: Policy, **more: object) -> Request:
    return Request(policy, remappable=True, **more)  # type: ignore[arg-type]  # passed on


def test_everything_that_would_be_stopped_is_named_with_what_wants_its_place() -> None:
    foreseen = foresee([CASES[Kind.CONTAINER], CASES[Kind.MANAGED]], asked("stop"), yes=True)
    assert [step["action"] for step in foreseen.document()["plan"]] == [
        "stop-container",
        "stop-unit",
    ]
    first, second = foreseen.lines
    assert first.startswith(
        "would do: stop container shop-web-1; its data stays [app wants 127.0.0.1:5000: held by container shop-web-1"
    )
    assert second.startswith("would do: systemctl stop web.socket web.service")
    assert foreseen.document()["not_done"] == []


@pytest.mark.parametrize(
    ("policy", "yes", "needs"),
    [("stop", False, True), ("stop", True, False), ("remap", False, False), ("wait", False, False)],
)
def test_a_question_that_would_come_first_is_told(policy: Policy, yes: bool, needs: bool) -> None:
    foreseen = foresee([CASES[Kind.PROCESS]], asked(policy), yes=yes)
    assert foreseen.needs_yes is needs
    assert ("after a yes" in foreseen.lines[0]) is needs


def test_one_case_without_an_answer_keeps_all_from_being_done() -> None:
    foreseen = foresee(
        [CASES[Kind.PROCESS], CASES[Kind.CONNECTION], CASES[Kind.NAME]], asked("stop"), yes=True
    )
    assert foreseen.document()["plan"] == []
    reasons = [left["why"] for left in foreseen.document()["not_done"]]
    assert reasons == [
        "--on-conflict stop has no answer to it; others: --on-conflict remap   or   --on-conflict wait --wait-timeout 60",
        "--on-conflict stop has no answer to it; others: --on-conflict remap   or   --remove-container shop-web-1 --yes",
    ]
    assert foreseen.lines[-1] == "so nothing would be done"


def test_productions_container_and_what_has_no_way_out_say_why() -> None:
    spared = foresee([CASES[Kind.CONTAINER]], asked("stop", production_project="shop"), yes=True)
    assert [left["why"] for left in spared.document()["not_done"]] == [
        "production's, only `dartsctl prod down` stops it"
    ]
    nobody = foresee([CASES[Kind.NOBODY]], asked("stop"), yes=True)
    assert [left["why"] for left in nobody.document()["not_done"]] == [
        "nothing can be done about it from here"
    ]


def test_where_a_person_would_be_asked_nothing_is_foreseen() -> None:
    foreseen = foresee([CASES[Kind.PROCESS]], asked("ask"), yes=True)
    assert foreseen.document()["plan"] == []
    assert foreseen.document()["not_done"][0]["why"].startswith(
        "a person would be asked; without one: --on-conflict remap"
    )


def test_a_removal_by_flag_needs_a_yes_whatever_the_policy() -> None:
    foreseen = foresee(
        [CASES[Kind.NAME]], asked("fail", removable=frozenset({"shop-web-1"})), yes=False
    )
    assert foreseen.needs_yes
    assert [step["action"] for step in foreseen.document()["plan"]] == ["remove-container"]
