"""The whole table of choices, walked: each kind of holder in each environment, in order, with the exact line; and the plan that comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from dartsctl.ports.cases import Case
from dartsctl.ports.choices import (
    Choice,
    Policy,
    ResolutionRequest,
    by_policy,
    choices,
    line,
    remedy,
)
from dartsctl.ports.collisions import NameTaken
from dartsctl.ports.holders import DevLease, ForeignContainer, HostProcess, RivalBinding, Unknown
from dartsctl.ports.holders.kinds import HolderKind, ResolutionAction, SystemdUnit
from dartsctl.ports.process import Process
from dartsctl.ports.resolution import ResolutionStep, dead_ends, decide, unanswered
from fakes.conflict_cases import CASES, LOOK, SERVER, UNIT, case, conflict, container

MOVE = "publish app on another free port instead of 5000, on this machine only, until --reset-ports"
WAIT = "wait until it is free"
ABORT = "abort; nothing is changed"
TERM = "SIGTERM, and SIGKILL only after a second yes"
SEEN = f"{ABORT} (to free it yourself: "
LINES: dict[HolderKind, list[str]] = {
    HolderKind.DEV_SERVER: ["stop the dev server of /src/app (pid 4711)", MOVE, WAIT, ABORT],
    HolderKind.PROCESS: [MOVE, WAIT, f"stop python (pid 4711, 4712, 4713): {TERM}", ABORT],
    HolderKind.RELOADER: [
        MOVE,
        WAIT,
        f"stop python (pid 4711) and the reloader that would start it again (pid 4710): {TERM}",
        ABORT,
    ],
    HolderKind.MANAGED: [
        MOVE,
        WAIT,
        "systemctl stop web.socket web.service (pid 4711 alone would be started again)",
        ABORT,
    ],
    HolderKind.SUPERVISED: [
        MOVE,
        WAIT,
        f"stop python (pid 4711), which supervisord (pid 4700) may start again: {TERM}",
        ABORT,
    ],
    HolderKind.OTHER_USER: [MOVE, WAIT, f"{SEEN}sudo kill 4710 4711 4712)"],
    HolderKind.PROTECTED: [MOVE, WAIT, f"{SEEN}see what it belongs to: ps -fp 1)"],
    HolderKind.AIRPLAY: [
        MOVE,
        WAIT,
        f"{SEEN}System Settings > General > AirDrop & Handoff > AirPlay Receiver: off)",
    ],
    HolderKind.CONTAINER: [
        MOVE,
        WAIT,
        "stop container shop-web-1; its data stays",
        "stop all containers of project shop; their data stays",
        ABORT,
    ],
    HolderKind.LONE_CONTAINER: [MOVE, WAIT, "stop container loose; its data stays", ABORT],
    HolderKind.HOST_NETWORK: [MOVE, WAIT, "stop container shop-web-1; its data stays", ABORT],
    HolderKind.ORPHAN: ["stop container darts-dev-old-1; its data stays", MOVE, ABORT],
    HolderKind.OWN: [MOVE, ABORT],
    HolderKind.SAME_STACK: [MOVE, ABORT],
    HolderKind.NAME: [
        "start app under another container name than shop-web-1, on this machine only, until --reset-ports",
        "remove container shop-web-1 (running) of project shop; its volumes stay, what it wrote outside of them is lost",
        ABORT,
    ],
    HolderKind.CONNECTION: [MOVE, WAIT, ABORT],
    HolderKind.UNKNOWN: [MOVE, WAIT, f"{SEEN}{LOOK})"],
    HolderKind.NOBODY: [ABORT],
}


def request(
    policy: Policy = "ask", *, production: bool = False, **more: object
) -> ResolutionRequest:
    return ResolutionRequest(policy, remappable=not production, **more)  # type: ignore[arg-type]  # passed on


@pytest.mark.parametrize("kind", HolderKind)
@pytest.mark.parametrize("production", [False, True])
def test_each_kind_has_its_choices_safest_first_and_each_says_exactly_what_it_does(
    kind: HolderKind, production: bool
) -> None:
    offered = choices(CASES[kind], request(production=production))
    moves = (MOVE, LINES[HolderKind.NAME][0])
    assert [choice.line for choice in offered] == [
        text for text in LINES[kind] if not (production and text in moves)
    ]
    assert [choice.action for choice in offered] == [
        action for action in kind.choices if not (production and action is ResolutionAction.REMAP)
    ]
    assert offered[-1].action is ResolutionAction.ABORT
    assert [choice.action for choice in offered if choice.type_first] == (
        [ResolutionAction.REMOVE_CONTAINER] if kind is HolderKind.NAME else []
    )


def test_every_kind_is_in_the_table_and_every_action_in_some_row() -> None:
    assert set(HolderKind) == set(CASES)
    assert {action for kind in HolderKind for action in kind.choices} == set(ResolutionAction)
    assert all(
        kind.choices.count(ResolutionAction.ABORT) == 1
        and len(set(kind.choices)) == len(kind.choices)
        for kind in HolderKind
    )


@pytest.mark.parametrize(
    "kind",
    [
        HolderKind.OTHER_USER,
        HolderKind.PROTECTED,
        HolderKind.AIRPLAY,
        HolderKind.CONNECTION,
        HolderKind.UNKNOWN,
        HolderKind.NOBODY,
        HolderKind.OWN,
        HolderKind.SAME_STACK,
    ],
)
def test_who_must_not_be_stopped_is_never_offered_for_it(
    kind: HolderKind,
) -> None:  # edge-cases.md#14, edge-cases.md#18, edge-cases.md#25
    assert set(kind.choices) <= {
        ResolutionAction.REMAP,
        ResolutionAction.WAIT,
        ResolutionAction.ABORT,
    }


def test_another_users_unit_gets_the_exact_sudo_command() -> None:
    assert (
        remedy(case(HolderKind.OTHER_USER, HostProcess(SERVER), unit=UNIT))
        == "sudo systemctl stop web.socket web.service"
    )
    assert remedy(case(HolderKind.OTHER_USER, DevLease(SERVER, "/src/app", ""))) == "sudo kill 4711"
    assert remedy(CASES[HolderKind.PROCESS]) == ""
    assert line(
        ResolutionAction.STOP_UNIT,
        case(
            HolderKind.MANAGED, HostProcess(SERVER), unit=SystemdUnit(("a.service",), of_user=True)
        ),
    ).startswith("systemctl --user stop a.service")


# --- production containers


@pytest.mark.parametrize(
    ("kind", "action", "typed"),
    [
        (HolderKind.CONTAINER, ResolutionAction.STOP_CONTAINER, "shop-web-1"),
        (HolderKind.CONTAINER, ResolutionAction.STOP_PROJECT, "shop"),
        (HolderKind.HOST_NETWORK, ResolutionAction.STOP_CONTAINER, "shop-web-1"),
        (HolderKind.NAME, ResolutionAction.REMOVE_CONTAINER, "shop-web-1"),
    ],
)
def test_a_production_container_needs_its_name_typed_by_productions_own_command(
    kind: HolderKind, action: ResolutionAction, typed: str
) -> None:
    own = request(production=True, production_project="shop", is_for_production=True)
    offered = {choice.action: choice.type_first for choice in choices(CASES[kind], own)}
    assert offered[action] == typed
    assert not any(
        offered[other] for other in offered.keys() & {ResolutionAction.WAIT, ResolutionAction.ABORT}
    )
    others = {
        choice.action: choice.type_first
        for choice in choices(CASES[kind], request(production_project="another"))
    }
    assert others[action] == (typed if action is ResolutionAction.REMOVE_CONTAINER else "")


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
    one = Case(
        holder, kind, () if kind is HolderKind.NAME else (conflict(ForeignContainer(theirs)),)
    )
    for remappable in (True, False):
        for policy in ("ask", "stop"):
            asked = ResolutionRequest(
                policy, remappable, production_project="shop", removable=frozenset({"shop-web-1"})
            )
            offered = choices(one, asked)
            assert {choice.action for choice in offered} <= {
                ResolutionAction.REMAP,
                ResolutionAction.WAIT,
                ResolutionAction.ABORT,
            }
            assert (
                offered[-1].line
                == "abort; nothing is changed (it is production's: only `dartsctl prod down` stops it)"
            )
            assert decide([one], replace(asked, policy="stop"), never) == ()


# --- a container that has a wanted name


def test_a_named_removal_is_done_for_exactly_that_container_whatever_the_policy() -> None:
    one = CASES[HolderKind.NAME]
    for policy in ("fail", "stop", "ask", "wait", "remap"):
        named = request(policy, removable=frozenset({"shop-web-1"}))
        assert decide([one], named, never) == (
            ResolutionStep(ResolutionAction.REMOVE_CONTAINER, one),
        )
    for name in ("shop-web", "shop-web-11", "shop", ""):
        assert decide([one], request("stop", removable=frozenset({name})), never) == ()


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


def test_what_has_no_answer_is_told_and_what_others_settle_is_not() -> None:
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
    one = CASES[kind]
    assert by_policy(policy, choices(one, request(policy, production=production))) is (
        wanted or ResolutionAction.ABORT
    )
    assert decide([one], request(policy, production=production), never) == (
        (ResolutionStep(wanted, one),) if wanted else ()
    )


def test_where_nobody_was_asked_only_the_services_that_tell_their_address_move() -> None:
    one = CASES[HolderKind.PROCESS]
    assert decide([one], request("remap", remap_only=frozenset({"app"})), never) == (
        ResolutionStep(ResolutionAction.REMAP, one),
    )
    assert decide([one], request("remap", remap_only=frozenset({"rabbitmq"})), never) == ()


# --- the plan


def asking(asked: list[Case], *actions: ResolutionAction) -> object:
    left = list(actions)

    def choose(one: Case, offered: Sequence[Choice]) -> ResolutionAction:
        asked.append(one)
        action = left.pop(0)
        assert action in [choice.action for choice in offered]
        return action

    return choose


def plan(
    found: Sequence[Case], *actions: ResolutionAction, **more: object
) -> tuple[tuple[ResolutionStep, ...], int]:
    """The plan of a person who answers so, and how many questions there were; every answer must be used."""
    asked: list[Case] = []
    steps = decide(found, request(**more), asking(asked, *actions))  # type: ignore[arg-type]  # passed on
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
    found = [
        case(HolderKind.PROCESS, HostProcess(SERVER), both),
        case(HolderKind.UNKNOWN, Unknown(0, LOOK), both),
    ]
    assert plan(found, ResolutionAction.REMAP)[0] == (
        ResolutionStep(ResolutionAction.REMAP, found[0]),
    )


def test_nobody_is_stopped_for_a_binding_that_moves_away() -> None:
    both = conflict(HostProcess(SERVER), Unknown(0, LOOK))
    found = [
        case(HolderKind.PROCESS, HostProcess(SERVER), both),
        case(HolderKind.UNKNOWN, Unknown(0, LOOK), both),
    ]
    assert plan(found, ResolutionAction.STOP_PROCESS, ResolutionAction.REMAP)[0] == (
        ResolutionStep(ResolutionAction.REMAP, found[1]),
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
            *(one for one in conflicts if one.binding.service != name),
        )
        for name in reversed(services)
    ]


@pytest.mark.parametrize("policy", ["ask", "remap"])
def test_of_a_pair_one_moves_once(policy: Policy) -> None:
    found = same_stack("web", "api")
    asked: list[Case] = []
    steps = decide(found, request(policy), asking(asked, ResolutionAction.REMAP))  # type: ignore[arg-type]  # the same shape
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


def test_replicas_of_one_service_never_move_and_nobody_is_asked_in_vain() -> (
    None
):  # edge-cases.md#49
    own = RivalBinding("app", "5000:80/tcp")
    both = [conflict(own, HostProcess(SERVER)), conflict(own, HostProcess(SERVER), replica=2)]
    found = [
        case(HolderKind.PROCESS, HostProcess(SERVER), *both),
        case(HolderKind.SAME_STACK, own, *both),
    ]
    assert all(
        ResolutionAction.REMAP not in [choice.action for choice in choices(one, request())]
        for one in found
    )
    assert dead_ends(found, request()) == (found[1],)
    for policy in ("ask", "remap", "stop", "wait"):
        assert decide(found, request(policy), never) == ()


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
