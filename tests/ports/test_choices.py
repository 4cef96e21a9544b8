"""The choices for each kind of holder, safest first, with their exact lines."""

from __future__ import annotations

import pytest

from dartsctl.ports.cases import Case
from dartsctl.ports.choices import (
    Policy,
    ResolutionRequest,
    choices,
    line,
    remedy,
)
from dartsctl.ports.collisions import NameTaken
from dartsctl.ports.holders import DevLease, HostProcess
from dartsctl.ports.holders.kinds import HolderKind, ResolutionAction, SystemdUnit
from dartsctl.records import replace
from fakes.conflict_cases import CASES, LOOK, SERVER, UNIT, case

HERE = "on this machine only, until --reset-ports"
MOVE = f"publish app on another free port instead of 5000, {HERE}"
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
    HolderKind.NOT_STARTED: ["stop container darts-dev-tool-1; its data stays", MOVE, ABORT],
    HolderKind.OWN: [MOVE, ABORT],
    HolderKind.SAME_STACK: [MOVE, ABORT],
    HolderKind.NAME: [
        f"start app under another container name than shop-web-1, {HERE}",
        (
            "remove container shop-web-1 (running) of project shop; its volumes stay, "
            "what it wrote outside of them is lost"
        ),
        ABORT,
    ],
    HolderKind.SHARED: [
        f"volume darts-dev_data instead of shop_data, without its data, {HERE}",
        ABORT,
    ],
    HolderKind.RESERVED: [
        MOVE,
        WAIT,
        f"{SEEN}end dartsctl watch (pid 77), or run it with --no-reserve)",
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
    moves = (MOVE, LINES[HolderKind.NAME][0], LINES[HolderKind.SHARED][0])
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


def test_what_would_not_change_anything_is_not_offered() -> None:
    taken = CASES[HolderKind.NAME].holder
    assert isinstance(taken, NameTaken)
    default = Case(replace(taken, is_default=True), HolderKind.NAME)
    (conflict,) = CASES[HolderKind.PROCESS].conflicts
    on_host = replace(conflict, binding=replace(conflict.binding, on_host=True))
    program = replace(CASES[HolderKind.PROCESS], conflicts=(on_host,))
    for example in (default, program):
        actions = [choice.action for choice in choices(example, request())]
        assert ResolutionAction.REMAP not in actions
        assert len(actions) > 1
