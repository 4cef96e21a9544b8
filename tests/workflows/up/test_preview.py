"""What --dry-run says of a policy: each thing that would be done, or why nothing would be."""

from __future__ import annotations

import pytest

from dartsctl.ports.choices import Policy, ResolutionRequest
from dartsctl.ports.holders.kinds import HolderKind
from dartsctl.workflows.up.preview import preview_of
from fakes.conflict_cases import CASES

NO_ANSWER = "--on-conflict stop has no answer to it; others:"


def asked(policy: Policy, **more: object) -> ResolutionRequest:
    return ResolutionRequest(policy, remappable=True, **more)  # type: ignore[arg-type]  # passed on


def test_everything_that_would_be_stopped_is_named_with_what_wants_its_place() -> None:
    preview = preview_of(
        [CASES[HolderKind.CONTAINER], CASES[HolderKind.MANAGED]], asked("stop"), yes=True
    )
    assert [step["action"] for step in preview.document()["plan"]] == [
        "stop-container",
        "stop-unit",
    ]
    first, second = preview.lines
    assert first.startswith(
        "would do: stop container shop-web-1; its data stays "
        "[app wants 127.0.0.1:5000: held by container shop-web-1"
    )
    assert second.startswith("would do: systemctl stop web.socket web.service")
    assert preview.document()["not_done"] == []


@pytest.mark.parametrize(
    ("policy", "yes", "needs"),
    [("stop", False, True), ("stop", True, False), ("remap", False, False), ("wait", False, False)],
)
def test_a_question_that_would_come_first_is_told(policy: Policy, yes: bool, needs: bool) -> None:
    preview = preview_of([CASES[HolderKind.PROCESS]], asked(policy), yes=yes)
    assert preview.needs_yes is needs
    assert ("after confirmation" in preview.lines[0]) is needs


def test_one_case_without_an_answer_keeps_all_from_being_done() -> None:
    preview = preview_of(
        [CASES[HolderKind.PROCESS], CASES[HolderKind.CONNECTION], CASES[HolderKind.NAME]],
        asked("stop"),
        yes=True,
    )
    assert preview.document()["plan"] == []
    reasons = [left["why"] for left in preview.document()["not_done"]]
    assert reasons == [
        f"{NO_ANSWER} --on-conflict remap or --on-conflict wait --wait-timeout 60",
        f"{NO_ANSWER} --on-conflict remap or --remove-container shop-web-1 --yes",
    ]
    assert preview.lines[-1] == "nothing would be done"


def test_productions_container_and_what_has_no_way_out_say_why() -> None:
    spared = preview_of(
        [CASES[HolderKind.CONTAINER]], asked("stop", production_project="shop"), yes=True
    )
    assert [left["why"] for left in spared.document()["not_done"]] == [
        "production's, only `dartsctl prod down` stops it"
    ]
    nobody = preview_of([CASES[HolderKind.NOBODY]], asked("stop"), yes=True)
    assert [left["why"] for left in nobody.document()["not_done"]] == [
        "nothing can be done about it from here"
    ]


def test_where_a_person_would_be_asked_nothing_is_foreseen() -> None:
    preview = preview_of([CASES[HolderKind.PROCESS]], asked("ask"), yes=True)
    assert preview.document()["plan"] == []
    assert preview.document()["not_done"][0]["why"].startswith(
        "a person would be asked; without one: --on-conflict remap"
    )


def test_a_removal_by_flag_needs_a_yes_whatever_the_policy() -> None:
    preview = preview_of(
        [CASES[HolderKind.NAME]], asked("fail", removable=frozenset({"shop-web-1"})), yes=False
    )
    assert preview.needs_yes
    assert [step["action"] for step in preview.document()["plan"]] == ["remove-container"]
