"""The whole table of choices, walked: each kind of holder in each environment, in order, with the exact line; and the plan that comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from dartsctl.ports.cases import Case, Kind, Unit
from dartsctl.ports.collisions import NameTaken
from dartsctl.ports.holders import DevLease, ForeignContainer, HostProcess, SameStack, Unknown
from dartsctl.ports.process import Process
from dartsctl.ports.resolution import (
    CHOICES,
    Action,
    Choice,
    Policy,
    Request,
    Step,
    by_policy,
    choices,
    dead_ends,
    decide,
    line,
    remedy,
    unanswered,
)
from fakes.conflict_cases import CASES, LOOK, SERVER, UNIT, case, conflict, container

MOVE = "publish app on another free port instead of 5000, on this machine only, until --reset-ports"
WAIT = "wait until it is free"
ABORT = "abort; nothing is changed"
TERM = "SIGTERM, and SIGKILL only after a second yes"
SEEN = f"{ABORT} (to free it yourself: "
LINES: dict[Kind, list[str]] = {
    Kind.DEV_SERVER: ["stop the dev server of /src/app (pid 4711)", MOVE, WAIT, ABORT],
    Kind.PROCESS: [MOVE, WAIT, f"stop python (pid 4711, 4712, 4713): {TERM}", ABORT],
    Kind.RELOADER: [
        MOVE,
        WAIT,
        f"stop python (pid 4711) and the reloader that would start it again (pid 4710): {TERM}",
        ABORT,
    ],
    Kind.MANAGED: [
        MOVE,
        WAIT,
        "systemctl stop web.socket web.service (pid 4711 alone would be started again)",
        ABORT,
    ],
    Kind.SUPERVISED: [
        MOVE,
        WAIT,
        f"stop python (pid 4711), which supervisord (pid 4700) may start again: {TERM}",
        ABORT,
    ],
    Kind.OTHER_USER: [MOVE, WAIT, f"{SEEN}sudo kill 4710 4711 4712)"],
    Kind.PROTECTED: [MOVE, WAIT, f"{SEEN}see what it belongs to: ps -fp 1)"],
    Kind.AIRPLAY: [
        MOVE,
        WAIT,
        f"{SEEN}System Settings > General > AirDrop & Handoff > AirPlay Receiver: off)",
    ],
    Kind.CONTAINER: [
        MOVE,
        WAIT,
        "stop container shop-web-1; its data stays",
        "stop all containers of project shop; their data stays",
        ABORT,
    ],
    Kind.LONE_CONTAINER: [MOVE, WAIT, "stop container loose; its data stays", ABORT],
    Kind.HOST_NETWORK: [MOVE, WAIT, "stop container shop-web-1; its data stays", ABORT],
    Kind.ORPHAN: ["stop container darts-dev-old-1; its data stays", MOVE, ABORT],
    Kind.OWN: [MOVE, ABORT],
    Kind.SAME_STACK: [MOVE, ABORT],
    Kind.NAME: [
        "start app under another container name than shop-web-1, on this machine only, until --reset-ports",
        "remove container shop-web-1 (running) of project shop; its volumes stay, what it wrote beside them is lost",
        ABORT,
    ],
    Kind.CONNECTION: [MOVE, WAIT, ABORT],
    Kind.UNKNOWN: [MOVE, WAIT, f"{SEEN}{LOOK})"],
    Kind.NOBODY: [ABORT],
}


def request(policy: Policy = "ask", *, production: bool = False, **more: object) -> Request:
    return Request(policy, remappable=not production, **more)  # type: ignore[arg-type]  # passed on


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("production", [False, True])
def test_each_kind_has_its_choices_safest_first_and_each_says_exactly_what_it_does(
    kind: Kind, production: bool
) -> None:
    offered = choices(CASES[kind], request(production=production))
    moves = (MOVE, LINES[Kind.NAME][0])
    assert [choice.line for choice in offered] == [
        text for text in LINES[kind] if not (production and text in moves)
    ]
    assert [choice.action for choice in offered] == [
        action for action in CHOICES[kind] if not (production and action is Action.REMAP)
    ]
    assert offered[-1].action is Action.ABORT
    assert [choice.action for choice in offered if choice.type_first] == (
        [Action.REMOVE_CONTAINER] if kind is Kind.NAME else []
    )


def test_every_kind_is_in_the_table_and_every_action_in_some_row() -> None:
    assert set(CHOICES) == set(Kind) == set(CASES)
    assert {action for row in CHOICES.values() for action in row} == set(Action)
    assert all(
        row.count(Action.ABORT) == 1 and len(set(row)) == len(row) for row in CHOICES.values()
    )


@pytest.mark.parametrize(
    "kind",
    [
        Kind.OTHER_USER,
        Kind.PROTECTED,
        Kind.AIRPLAY,
        Kind.CONNECTION,
        Kind.UNKNOWN,
        Kind.NOBODY,
        Kind.OWN,
        Kind.SAME_STACK,
    ],
)
def test_who_must_not_be_stopped_is_never_offered_for_it(
    kind: Kind,
) -> None:  # edge-cases.md#14, edge-cases.md#18, edge-cases.md#25
    assert set(CHOICES[kind]) <= {Action.REMAP, Action.WAIT, Action.ABORT}


def test_another_users_unit_gets_the_exact_sudo_command() -> None:
    assert (
        remedy(case(Kind.OTHER_USER, HostProcess(SERVER), unit=UNIT))
        == "sudo systemctl stop web.socket web.service"
    )
    assert remedy(case(Kind.OTHER_USER, DevLease(SERVER, "/src/app", ""))) == "sudo kill 4711"
    assert remedy(CASES[Kind.PROCESS]) == ""
    assert line(
        Action.STOP_UNIT,
        case(Kind.MANAGED, HostProcess(SERVER), unit=Unit(("a.service",), of_user=True)),
    ).startswith("systemctl --user stop a.service")


# --- production containers


@pytest.mark.parametrize(
    ("kind", "action", "typed"),
    [
        (Kind.CONTAINER, Action.STOP_CONTAINER, "shop-web-1"),
        (Kind.CONTAINER, Action.STOP_PROJECT, "shop"),
        (Kind.HOST_NETWORK, Action.STOP_CONTAINER, "shop-web-1"),
        (Kind.NAME, Action.REMOVE_CONTAINER, "shop-web-1"),
    ],
)
def test_a_production_container_needs_its_name_typed_by_productions_own_command(
    kind: Kind, action: Action, typed: str
) -> None:
    own = request(production=True, production_project="shop", is_for_production=True)
    offered = {choice.action: choice.type_first for choice in choices(CASES[kind], own)}
    assert offered[action] == typed
    assert not any(offered[other] for other in offered.keys() & {Action.WAIT, Action.ABORT})
    others = {
        choice.action: choice.type_first
        for choice in choices(CASES[kind], request(production_project="another"))
    }
    assert others[action] == (typed if action is Action.REMOVE_CONTAINER else "")


def test_no_policy_types_a_name_for_a_person() -> None:
    own = request("stop", production=True, production_project="shop", is_for_production=True)
    assert decide([CASES[Kind.CONTAINER]], own, never) == ()


@pytest.mark.parametrize("kind", [Kind.CONTAINER, Kind.HOST_NETWORK, Kind.NAME])
@pytest.mark.parametrize("state", ["running", "paused", "exited", "created"])
def test_no_choice_policy_or_flag_of_another_stack_stops_anything_of_productions(
    kind: Kind, state: str
) -> None:
    theirs = replace(container(), state=state)
    holder = NameTaken("app", theirs) if kind is Kind.NAME else ForeignContainer(theirs)
    one = Case(holder, kind, () if kind is Kind.NAME else (conflict(ForeignContainer(theirs)),))
    for remappable in (True, False):
        for policy in ("ask", "stop"):
            asked = Request(
                policy, remappable, production_project="shop", removable=frozenset({"shop-web-1"})
            )
            offered = choices(one, asked)
            assert {choice.action for choice in offered} <= {
                Action.REMAP,
                Action.WAIT,
                Action.ABORT,
            }
            assert (
                offered[-1].line
                == "abort; nothing is changed (it is production's: only `dartsctl prod down` stops it)"
            )
            assert decide([one], replace(asked, policy="stop"), never) == ()


# --- a container that has a wanted name


def test_a_named_removal_is_done_for_exactly_that_container_whatever_the_policy() -> None:
    one = CASES[Kind.NAME]
    for policy in ("fail", "stop", "ask", "wait", "remap"):
        named = request(policy, removable=frozenset({"shop-web-1"}))
        assert decide([one], named, never) == (Step(Action.REMOVE_CONTAINER, one),)
    for name in ("shop-web", "shop-web-11", "shop", ""):
        assert decide([one], request("stop", removable=frozenset({name})), never) == ()


def test_a_named_removal_is_for_names_alone_not_for_ports() -> None:
    assert (
        decide([CASES[Kind.CONTAINER]], request("fail", removable=frozenset({"shop-web-1"})), never)
        == ()
    )


def test_a_name_and_a_port_of_one_container_are_settled_together_or_not_at_all() -> None:
    name, web = CASES[Kind.NAME], CASES[Kind.CONTAINER]
    assert decide([name, web], request("fail", removable=frozenset({"shop-web-1"})), never) == (
        Step(Action.REMOVE_CONTAINER, name),
    )
    assert (
        decide(
            [name, CASES[Kind.PROCESS]], request("fail", removable=frozenset({"shop-web-1"})), never
        )
        == ()
    )


def test_what_has_no_answer_is_told_and_what_others_settle_is_not() -> None:
    name, web = CASES[Kind.NAME], CASES[Kind.CONTAINER]
    assert unanswered([name, web, CASES[Kind.PROCESS]], request("stop")) == (name,)
    assert unanswered([name, web], request("fail", removable=frozenset({"shop-web-1"}))) == ()
    assert unanswered([name, web, CASES[Kind.UNKNOWN]], request("remap")) == ()
    assert unanswered([CASES[Kind.UNKNOWN]], request("ask")) == (CASES[Kind.UNKNOWN],)


# --- policies


def never(_case: Case, _offered: Sequence[Choice]) -> Action:
    raise AssertionError("nobody may be asked")


STOPPED = {
    Kind.DEV_SERVER: Action.STOP_SERVER,
    Kind.PROCESS: Action.STOP_PROCESS,
    Kind.RELOADER: Action.STOP_PROCESS,
    Kind.SUPERVISED: Action.STOP_PROCESS,
    Kind.MANAGED: Action.STOP_UNIT,
    Kind.CONTAINER: Action.STOP_CONTAINER,
    Kind.LONE_CONTAINER: Action.STOP_CONTAINER,
    Kind.HOST_NETWORK: Action.STOP_CONTAINER,
    Kind.ORPHAN: Action.STOP_CONTAINER,
}


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("production", [False, True])
@pytest.mark.parametrize("policy", ["fail", "stop", "remap", "wait"])
def test_a_policy_takes_its_own_choice_or_aborts(
    kind: Kind, production: bool, policy: Policy
) -> None:
    wanted = {
        "fail": None,
        "stop": STOPPED.get(kind),
        "remap": Action.REMAP if Action.REMAP in CHOICES[kind] and not production else None,
        "wait": Action.WAIT if Action.WAIT in CHOICES[kind] else None,
    }[policy]
    one = CASES[kind]
    assert by_policy(policy, choices(one, request(policy, production=production))) is (
        wanted or Action.ABORT
    )
    assert decide([one], request(policy, production=production), never) == (
        (Step(wanted, one),) if wanted else ()
    )


def test_where_nobody_was_asked_only_the_services_that_tell_their_address_move() -> None:
    one = CASES[Kind.PROCESS]
    assert decide([one], request("remap", remap_only=frozenset({"app"})), never) == (
        Step(Action.REMAP, one),
    )
    assert decide([one], request("remap", remap_only=frozenset({"rabbitmq"})), never) == ()


# --- the plan


def asking(asked: list[Case], *actions: Action) -> object:
    left = list(actions)

    def choose(one: Case, offered: Sequence[Choice]) -> Action:
        asked.append(one)
        action = left.pop(0)
        assert action in [choice.action for choice in offered]
        return action

    return choose


def plan(found: Sequence[Case], *actions: Action, **more: object) -> tuple[tuple[Step, ...], int]:
    """The plan of a person who answers so, and how many questions there were; every answer must be used."""
    asked: list[Case] = []
    steps = decide(found, request(**more), asking(asked, *actions))  # type: ignore[arg-type]  # passed on
    assert len(asked) == len(actions)
    return steps, len(asked)


def test_several_cases_are_asked_one_by_one_and_an_abort_ends_it_with_nothing_done() -> None:
    other = case(Kind.PROCESS, HostProcess(Process(9, "nc", 1)), conflict(port=5001))
    steps, _ = plan([CASES[Kind.PROCESS], other], Action.STOP_PROCESS, Action.WAIT)
    assert [step.action for step in steps] == [Action.STOP_PROCESS, Action.WAIT]
    assert plan([CASES[Kind.PROCESS], other], Action.STOP_PROCESS, Action.ABORT)[0] == ()
    assert plan([CASES[Kind.PROCESS], other], Action.ABORT)[0] == ()


def test_a_project_that_is_stopped_whole_is_not_asked_about_again() -> None:
    first = case(Kind.CONTAINER, ForeignContainer(container()), conflict(port=5000))
    second = case(
        Kind.CONTAINER, ForeignContainer(container(name="shop-db-1")), conflict(port=5432)
    )
    third = case(
        Kind.CONTAINER, ForeignContainer(container("other", "other-1")), conflict(port=8080)
    )
    steps, _ = plan([first, second, third], Action.STOP_PROJECT, Action.WAIT)
    assert steps == (Step(Action.STOP_PROJECT, first), Step(Action.WAIT, third))


def test_stopping_a_project_does_not_free_a_name() -> None:
    name = Case(NameTaken("app", container(name="shop-db-1")), Kind.NAME)
    web = case(Kind.CONTAINER, ForeignContainer(container()))
    assert len(plan([web, name], Action.STOP_PROJECT, Action.REMOVE_CONTAINER)[0]) == 2


def test_a_container_that_is_removed_for_its_name_holds_no_port_either() -> None:
    web = case(Kind.CONTAINER, ForeignContainer(container()))
    assert plan([CASES[Kind.NAME], web], Action.REMOVE_CONTAINER)[0] == (
        Step(Action.REMOVE_CONTAINER, CASES[Kind.NAME]),
    )


def test_a_unit_is_stopped_once() -> None:
    first = case(Kind.MANAGED, HostProcess(SERVER), conflict(port=80), unit=UNIT)
    worker = case(
        Kind.MANAGED, HostProcess(Process(4712, "python", 1)), conflict(port=443), unit=UNIT
    )
    assert plan([first, worker], Action.STOP_UNIT)[0] == (Step(Action.STOP_UNIT, first),)


def test_bindings_that_have_moved_away_are_nobodys_case_any_more() -> None:
    both = conflict(HostProcess(SERVER), Unknown(0, LOOK))
    found = [
        case(Kind.PROCESS, HostProcess(SERVER), both),
        case(Kind.UNKNOWN, Unknown(0, LOOK), both),
    ]
    assert plan(found, Action.REMAP)[0] == (Step(Action.REMAP, found[0]),)


def test_nobody_is_stopped_for_a_binding_that_moves_away() -> None:
    both = conflict(HostProcess(SERVER), Unknown(0, LOOK))
    found = [
        case(Kind.PROCESS, HostProcess(SERVER), both),
        case(Kind.UNKNOWN, Unknown(0, LOOK), both),
    ]
    assert plan(found, Action.STOP_PROCESS, Action.REMAP)[0] == (Step(Action.REMAP, found[1]),)


# --- two of the stack itself


def same_stack(*services: str) -> list[Case]:
    """All of them want 8080: each is in every other's way."""
    wants = {name: SameStack(name, "8080:80/tcp") for name in services}
    conflicts = [
        conflict(*(other for key, other in wants.items() if key != name), port=8080, service=name)
        for name in services
    ]
    return [
        case(
            Kind.SAME_STACK, wants[name], *(one for one in conflicts if one.binding.service != name)
        )
        for name in reversed(services)
    ]


@pytest.mark.parametrize("policy", ["ask", "remap"])
def test_of_a_pair_one_moves_once(policy: Policy) -> None:
    found = same_stack("web", "api")
    asked: list[Case] = []
    steps = decide(found, request(policy), asking(asked, Action.REMAP))  # type: ignore[arg-type]  # the same shape
    assert [(step.action, step.case.services) for step in steps] == [(Action.REMAP, ("web",))]


def test_of_three_two_move() -> None:
    assert [
        step.case.services for step in plan(same_stack("web", "api", "db"), Action.REMAP)[0]
    ] == [("web", "api")]


def test_of_a_pair_the_one_that_may_moves() -> None:
    steps = decide(same_stack("web", "api"), request("remap", remap_only=frozenset({"api"})), never)
    assert [step.case.services for step in steps] == [("api",)]


def test_replicas_of_one_service_never_move_and_nobody_is_asked_in_vain() -> (
    None
):  # edge-cases.md#49
    own = SameStack("app", "5000:80/tcp")
    both = [conflict(own, HostProcess(SERVER)), conflict(own, HostProcess(SERVER), replica=2)]
    found = [case(Kind.PROCESS, HostProcess(SERVER), *both), case(Kind.SAME_STACK, own, *both)]
    assert all(
        Action.REMAP not in [choice.action for choice in choices(one, request())] for one in found
    )
    assert dead_ends(found, request()) == (found[1],)
    for policy in ("ask", "remap", "stop", "wait"):
        assert decide(found, request(policy), never) == ()


def test_two_ports_of_one_service_that_meet_can_move() -> None:
    pair = case(
        Kind.SAME_STACK,
        SameStack("app", "5000:8443/tcp"),
        conflict(SameStack("app", "5000:8443/tcp")),
    )
    assert plan([pair], Action.REMAP)[0]


def test_where_one_conflict_has_no_way_out_nobody_is_asked_about_the_others() -> None:
    assert decide([CASES[Kind.PROCESS], CASES[Kind.NOBODY]], request(), never) == ()
    assert (
        decide([CASES[Kind.PROCESS], *same_stack("web", "api")], request(production=True), never)
        == ()
    )
