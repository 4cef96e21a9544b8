"""The plan that is made of cases and choices."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dartsctl.ports.cases import Case
from dartsctl.ports.choices import (
    Choice,
    Policy,
    ResolutionRequest,
    by_policy,
    choices,
)
from dartsctl.ports.collisions import NameTaken
from dartsctl.ports.holders import ForeignContainer, HostProcess, RivalBinding, Unknown
from dartsctl.ports.holders.kinds import HolderKind, ResolutionAction
from dartsctl.ports.process import Process
from dartsctl.ports.resolution import ResolutionStep, dead_ends, decide, unanswered
from dartsctl.records import replace
from fakes.conflict_cases import CASES, LOOK, SERVER, UNIT, case, conflict, container


def request(
    policy: Policy = "ask", *, production: bool = False, **more: object
) -> ResolutionRequest:
    return ResolutionRequest(policy, remappable=not production, **more)  # type: ignore[arg-type]  # passed on


def test_no_policy_types_a_name_for_a_person() -> None:
    own = request("stop", production=True, production_project="shop", is_for_production=True)
    assert decide([CASES[HolderKind.CONTAINER]], own, never) == ()


@pytest.mark.parametrize("kind", [HolderKind.CONTAINER, HolderKind.HOST_NETWORK, HolderKind.NAME])
@pytest.mark.parametrize("state", ["running", "paused", "exited", "created"])
def test_no_choice_policy_or_flag_of_another_stack_stops_anything_of_productions(
    kind: HolderKind, state: str
) -> None:
    theirs = replace(container(), state=state)
    holder = NameTaken("app", theirs) if kind is HolderKind.NAME else ForeignContainer(theirs)
    this_case = Case(
        holder, kind, () if kind is HolderKind.NAME else (conflict(ForeignContainer(theirs)),)
    )
    for remappable in (True, False):
        for policy in ("ask", "stop"):
            asked = ResolutionRequest(
                policy, remappable, production_project="shop", removable=frozenset({"shop-web-1"})
            )
            offered = choices(this_case, asked)
            assert {choice.action for choice in offered} <= {
                ResolutionAction.REMAP,
                ResolutionAction.WAIT,
                ResolutionAction.ABORT,
            }
            assert (
                offered[-1].line == "abort; nothing is changed"
                " (it is production's: only `dartsctl prod down` stops it)"
            )
            assert decide([this_case], replace(asked, policy="stop"), never) == ()


# --- a container that has a wanted name


def test_a_named_removal_is_done_for_exactly_that_container_whatever_the_policy() -> None:
    this_case = CASES[HolderKind.NAME]
    for policy in ("fail", "stop", "ask", "wait", "remap"):
        named = request(policy, removable=frozenset({"shop-web-1"}))
        assert decide([this_case], named, never) == (
            ResolutionStep(ResolutionAction.REMOVE_CONTAINER, this_case),
        )
    for name in ("shop-web", "shop-web-11", "shop", ""):
        assert decide([this_case], request("stop", removable=frozenset({name})), never) == ()


def test_a_named_removal_is_for_names_alone_not_for_ports() -> None:
    assert (
        decide(
            [CASES[HolderKind.CONTAINER]],
            request("fail", removable=frozenset({"shop-web-1"})),
            never,
        )
        == ()
    )


def test_a_name_and_a_port_of_one_container_are_settled_together_or_not_at_all() -> None:
    name, web = CASES[HolderKind.NAME], CASES[HolderKind.CONTAINER]
    assert decide([name, web], request("fail", removable=frozenset({"shop-web-1"})), never) == (
        ResolutionStep(ResolutionAction.REMOVE_CONTAINER, name),
    )
    assert (
        decide(
            [name, CASES[HolderKind.PROCESS]],
            request("fail", removable=frozenset({"shop-web-1"})),
            never,
        )
        == ()
    )


def test_what_has_no_answer_is_named_and_what_others_settle_is_not() -> None:
    name, web = CASES[HolderKind.NAME], CASES[HolderKind.CONTAINER]
    assert unanswered([name, web, CASES[HolderKind.PROCESS]], request("stop")) == (name,)
    assert unanswered([name, web], request("fail", removable=frozenset({"shop-web-1"}))) == ()
    assert unanswered([name, web, CASES[HolderKind.UNKNOWN]], request("remap")) == ()
    assert unanswered([CASES[HolderKind.UNKNOWN]], request("ask")) == (CASES[HolderKind.UNKNOWN],)


# --- policies


def never(_case: Case, _offered: Sequence[Choice]) -> ResolutionAction:
    raise AssertionError("nobody may be asked")


STOPPED = {
    HolderKind.DEV_SERVER: ResolutionAction.STOP_SERVER,
    HolderKind.PROCESS: ResolutionAction.STOP_PROCESS,
    HolderKind.RELOADER: ResolutionAction.STOP_PROCESS,
    HolderKind.SUPERVISED: ResolutionAction.STOP_PROCESS,
    HolderKind.MANAGED: ResolutionAction.STOP_UNIT,
    HolderKind.CONTAINER: ResolutionAction.STOP_CONTAINER,
    HolderKind.LONE_CONTAINER: ResolutionAction.STOP_CONTAINER,
    HolderKind.HOST_NETWORK: ResolutionAction.STOP_CONTAINER,
    HolderKind.ORPHAN: ResolutionAction.STOP_CONTAINER,
    HolderKind.NOT_STARTED: ResolutionAction.STOP_CONTAINER,
}


@pytest.mark.parametrize("kind", HolderKind)
@pytest.mark.parametrize("production", [False, True])
@pytest.mark.parametrize("policy", ["fail", "stop", "remap", "wait"])
def test_a_policy_takes_its_own_choice_or_aborts(
    kind: HolderKind, production: bool, policy: Policy
) -> None:
    wanted = {
        "fail": None,
        "stop": STOPPED.get(kind),
        "remap": ResolutionAction.REMAP
        if ResolutionAction.REMAP in kind.choices and not production
        else None,
        "wait": ResolutionAction.WAIT if ResolutionAction.WAIT in kind.choices else None,
    }[policy]
    this_case = CASES[kind]
    assert by_policy(policy, choices(this_case, request(policy, production=production))) is (
        wanted or ResolutionAction.ABORT
    )
    assert decide([this_case], request(policy, production=production), never) == (
        (ResolutionStep(wanted, this_case),) if wanted else ()
    )


def test_where_nobody_was_asked_only_the_services_that_tell_their_address_move() -> None:
    this_case = CASES[HolderKind.PROCESS]
    assert decide([this_case], request("remap", remap_only=frozenset({"app"})), never) == (
        ResolutionStep(ResolutionAction.REMAP, this_case),
    )
    assert decide([this_case], request("remap", remap_only=frozenset({"rabbitmq"})), never) == ()


# --- the plan


def asking(asked: list[Case], *actions: ResolutionAction) -> object:
    left = list(actions)

    def choose(this_case: Case, offered: Sequence[Choice]) -> ResolutionAction:
        asked.append(this_case)
        action = left.pop(0)
        assert action in [choice.action for choice in offered]
        return action

    return choose


def plan(
    cases: Sequence[Case], *actions: ResolutionAction, **more: object
) -> tuple[tuple[ResolutionStep, ...], int]:
    """The plan of a person with these answers, and the count of prompts. Every answer is used."""
    asked: list[Case] = []
    steps = decide(cases, request(**more), asking(asked, *actions))  # type: ignore[arg-type]  # passed on
    assert len(asked) == len(actions)
    return steps, len(asked)


def test_several_cases_are_asked_one_by_one_and_an_abort_ends_it_with_nothing_done() -> None:
    other = case(HolderKind.PROCESS, HostProcess(Process(9, "nc", 1)), conflict(port=5001))
    steps, _ = plan(
        [CASES[HolderKind.PROCESS], other], ResolutionAction.STOP_PROCESS, ResolutionAction.WAIT
    )
    assert [step.action for step in steps] == [ResolutionAction.STOP_PROCESS, ResolutionAction.WAIT]
    assert (
        plan(
            [CASES[HolderKind.PROCESS], other],
            ResolutionAction.STOP_PROCESS,
            ResolutionAction.ABORT,
        )[0]
        == ()
    )
    assert plan([CASES[HolderKind.PROCESS], other], ResolutionAction.ABORT)[0] == ()


def test_a_project_that_is_stopped_whole_is_not_asked_about_again() -> None:
    first = case(HolderKind.CONTAINER, ForeignContainer(container()), conflict(port=5000))
    second = case(
        HolderKind.CONTAINER, ForeignContainer(container(name="shop-db-1")), conflict(port=5432)
    )
    third = case(
        HolderKind.CONTAINER, ForeignContainer(container("other", "other-1")), conflict(port=8080)
    )
    steps, _ = plan([first, second, third], ResolutionAction.STOP_PROJECT, ResolutionAction.WAIT)
    assert steps == (
        ResolutionStep(ResolutionAction.STOP_PROJECT, first),
        ResolutionStep(ResolutionAction.WAIT, third),
    )


def test_stopping_a_project_does_not_free_a_name() -> None:
    name = Case(NameTaken("app", container(name="shop-db-1")), HolderKind.NAME)
    web = case(HolderKind.CONTAINER, ForeignContainer(container()))
    assert (
        len(plan([web, name], ResolutionAction.STOP_PROJECT, ResolutionAction.REMOVE_CONTAINER)[0])
        == 2
    )


def test_a_container_that_is_removed_for_its_name_holds_no_port_either() -> None:
    web = case(HolderKind.CONTAINER, ForeignContainer(container()))
    assert plan([CASES[HolderKind.NAME], web], ResolutionAction.REMOVE_CONTAINER)[0] == (
        ResolutionStep(ResolutionAction.REMOVE_CONTAINER, CASES[HolderKind.NAME]),
    )


def test_a_unit_is_stopped_once() -> None:
    first = case(HolderKind.MANAGED, HostProcess(SERVER), conflict(port=80), unit=UNIT)
    worker = case(
        HolderKind.MANAGED, HostProcess(Process(4712, "python", 1)), conflict(port=443), unit=UNIT
    )
    assert plan([first, worker], ResolutionAction.STOP_UNIT)[0] == (
        ResolutionStep(ResolutionAction.STOP_UNIT, first),
    )


def test_bindings_that_have_moved_away_are_nobodys_case_any_more() -> None:
    both = conflict(HostProcess(SERVER), Unknown(0, LOOK))
    cases = [
        case(HolderKind.PROCESS, HostProcess(SERVER), both),
        case(HolderKind.UNKNOWN, Unknown(0, LOOK), both),
    ]
    assert plan(cases, ResolutionAction.REMAP)[0] == (
        ResolutionStep(ResolutionAction.REMAP, cases[0]),
    )


def test_nobody_is_stopped_for_a_binding_that_moves_away() -> None:
    both = conflict(HostProcess(SERVER), Unknown(0, LOOK))
    cases = [
        case(HolderKind.PROCESS, HostProcess(SERVER), both),
        case(HolderKind.UNKNOWN, Unknown(0, LOOK), both),
    ]
    assert plan(cases, ResolutionAction.STOP_PROCESS, ResolutionAction.REMAP)[0] == (
        ResolutionStep(ResolutionAction.REMAP, cases[1]),
    )


# --- two of the stack itself


def same_stack(*services: str) -> list[Case]:
    """All of them want 8080: each is in every other's way."""
    wants = {name: RivalBinding(name, "8080:80/tcp") for name in services}
    conflicts = [
        conflict(*(other for key, other in wants.items() if key != name), port=8080, service=name)
        for name in services
    ]
    return [
        case(
            HolderKind.SAME_STACK,
            wants[name],
            *(this_case for this_case in conflicts if this_case.binding.service != name),
        )
        for name in reversed(services)
    ]


@pytest.mark.parametrize("policy", ["ask", "remap"])
def test_of_a_pair_one_moves_once(policy: Policy) -> None:
    cases = same_stack("web", "api")
    asked: list[Case] = []
    steps = decide(cases, request(policy), asking(asked, ResolutionAction.REMAP))  # type: ignore[arg-type]  # the same shape
    assert [(step.action, step.case.services) for step in steps] == [
        (ResolutionAction.REMAP, ("web",))
    ]


def test_of_three_two_move() -> None:
    assert [
        step.case.services
        for step in plan(same_stack("web", "api", "db"), ResolutionAction.REMAP)[0]
    ] == [("web", "api")]


def test_of_a_pair_the_one_that_may_moves() -> None:
    steps = decide(same_stack("web", "api"), request("remap", remap_only=frozenset({"api"})), never)
    assert [step.case.services for step in steps] == [("api",)]


def test_replicas_of_one_service_never_move_and_nobody_is_asked_for_nothing() -> (
    None
):  # edge-cases.md#49
    own = RivalBinding("app", "5000:80/tcp")
    both = [conflict(own, HostProcess(SERVER)), conflict(own, HostProcess(SERVER), replica=2)]
    cases = [
        case(HolderKind.PROCESS, HostProcess(SERVER), *both),
        case(HolderKind.SAME_STACK, own, *both),
    ]
    assert all(
        ResolutionAction.REMAP not in [choice.action for choice in choices(this_case, request())]
        for this_case in cases
    )
    assert dead_ends(cases, request()) == (cases[1],)
    for policy in ("ask", "remap", "stop", "wait"):
        assert decide(cases, request(policy), never) == ()


def test_two_ports_of_one_service_that_meet_can_move() -> None:
    pair = case(
        HolderKind.SAME_STACK,
        RivalBinding("app", "5000:8443/tcp"),
        conflict(RivalBinding("app", "5000:8443/tcp")),
    )
    assert plan([pair], ResolutionAction.REMAP)[0]


def test_where_one_conflict_has_no_way_out_nobody_is_asked_about_the_others() -> None:
    assert decide([CASES[HolderKind.PROCESS], CASES[HolderKind.NOBODY]], request(), never) == ()
    assert (
        decide(
            [CASES[HolderKind.PROCESS], *same_stack("web", "api")], request(production=True), never
        )
        == ()
    )
