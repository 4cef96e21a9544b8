"""When a stack is up, and when waiting longer cannot help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from dartsctl.records import replace
from dartsctl.stack.health import (
    MAX_RESTARTS,
    Condition,
    ContainerHealth,
    ContainerLook,
    CrashLoops,
    StackHealth,
    assess_health,
    needs_look,
    wait_until_ready,
)
from dartsctl.stack.inside_ports import SilentPort
from dartsctl.stack.model import COMPLETED, HEALTHY, STARTED, PortEntry, Service, Stack
from fakes.kernel import container

if TYPE_CHECKING:
    from dartsctl.stack.containers import Container


def stack_of(**replicas: int) -> Stack:
    return Stack(
        "demo", {name: Service(name, replicas=count) for name, count in replicas.items()}, {}
    )


@pytest.mark.parametrize(
    ("state", "status", "condition"),
    [
        ("running", "Up 5 seconds", Condition.READY),
        ("running", "Up 3 seconds (healthy)", Condition.READY),
        ("running", "Up 3 seconds (health: starting)", Condition.STARTING),
        ("running", "Up 3 minutes (unhealthy)", Condition.UNHEALTHY),
        ("exited", "Exited (0) 2 seconds ago", Condition.DONE),
        ("exited", "Exited (1) 2 seconds ago", Condition.FAILED),
        ("exited", "Exited (137) 2 seconds ago", Condition.FAILED),
        ("exited", "Exited (10) 0 seconds ago", Condition.FAILED),
        ("restarting", "Restarting (1) 5 seconds ago", Condition.STARTING),
        ("created", "Created", Condition.FAILED),
        ("paused", "Up 3 minutes (Paused)", Condition.FAILED),
        ("dead", "Dead", Condition.FAILED),
    ],
)
def test_the_condition_of_a_container(
    state: str, status: str, condition: Condition
) -> None:  # edge-cases.md#32, edge-cases.md#74
    health = assess_health(stack_of(web=1), [container("demo", "web", state=state, status=status)])
    assert [each.condition for each in health.containers] == [condition]
    assert health.containers[0].detail == status


@pytest.mark.parametrize(
    ("protocol", "waits", "condition"),
    [
        ("tcp", STARTED, Condition.FAILED),
        ("tcp", COMPLETED, Condition.DONE),
        ("udp", STARTED, Condition.DONE),
    ],
)
def test_a_service_that_publishes_a_port_is_no_one_shot_unless_others_wait_for_its_end(
    protocol: Any, waits: str, condition: Condition
) -> None:
    port = PortEntry(80, protocol, "8080", "")
    services = {
        "db": Service("db", ports=(port,)),
        "web": Service("web", depends_on=("db",), conditions={"db": waits}),
    }
    ended = container("demo", "db", state="exited", status="Exited (0) 2 seconds ago")
    health = assess_health(Stack("demo", services, {}), [ended]).containers[0]
    assert health.condition is condition
    assert ("nothing listens on its published port 80" in health.detail) is (
        condition is Condition.FAILED
    )


def test_one_shots_are_counted_as_done_and_replicas_are_named() -> None:
    states = [("web", "Up 9 seconds", 1), ("web", "Up 9 seconds", 2), ("job", "Exited (0) now", 1)]
    own = [
        replace(
            container("demo", service, state="exited" if "Ex" in status else "running"),
            status=status,
            name=f"demo-{service}-{number}",
            id=f"{service}{number}",
        )
        for service, status, number in states
    ]
    health = assess_health(stack_of(web=2, job=1), own)
    assert health.summary == "2 containers ready, 1 done"
    assert [health.name_of(each) for each in health.containers] == [
        "demo-web-1",
        "demo-web-2",
        "job",
    ]


def waiting(condition: str, status: str) -> ContainerHealth:
    """Return what is said of a created `web` that waits for a `db` with this status."""
    services = {
        "db": Service("db"),
        "web": Service("web", depends_on=("db",), conditions={"db": condition}),
    }
    states = {"Up": "running", "Ex": "exited", "Re": "restarting", "Cr": "created"}
    own = [container("demo", "web", state="created", status="Created")]
    if status:
        own.append(container("demo", "db", state=states[status[:2]], status=status))
    (web,) = [
        each
        for each in assess_health(Stack("demo", services, {}), own).containers
        if each.service == "web"
    ]
    return web


@pytest.mark.parametrize(
    ("condition", "status", "detail"),
    [
        (HEALTHY, "Up 7 seconds (unhealthy)", "it waits for db to be healthy"),
        (HEALTHY, "Up 7 seconds (health: starting)", "it waits for db to be healthy"),
        (HEALTHY, "Exited (3) 2 seconds ago", "it waits for db to be healthy"),
        (HEALTHY, "Created", "it waits for db to be healthy"),
        (HEALTHY, "", "it waits for db to be healthy"),
        (COMPLETED, "Up 7 seconds", "it waits for db to end well"),
        (COMPLETED, "Exited (3) 2 seconds ago", "it waits for db to end well"),
        (STARTED, "Created", "it waits for db to run"),
        (STARTED, "Exited (3) 2 seconds ago", "it waits for db to run"),
    ],
)
def test_a_created_container_whose_dependency_is_not_well_was_not_started(
    condition: str, status: str, detail: str
) -> None:
    web = waiting(condition, status)
    assert (web.condition, web.detail) == (Condition.NOT_STARTED, detail)
    assert StackHealth((web,)).is_hopeless, "nobody starts it any more"


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        (HEALTHY, "Up 7 seconds (healthy)"),
        (COMPLETED, "Exited (0) 2 seconds ago"),
        (STARTED, "Up 7 seconds (unhealthy)"),
    ],
)
def test_a_created_container_that_waits_for_nothing_has_failed(condition: str, status: str) -> None:
    web = waiting(condition, status)
    assert (web.condition, web.detail) == (Condition.FAILED, "Created")


def condition_of(own: Container, look: ContainerLook, settling_time: float = 5.0) -> Condition:
    (health,) = assess_health(
        stack_of(web=1), [own], {own.id: look}, settling_time=settling_time
    ).containers
    return health.condition


@pytest.mark.parametrize(
    ("status", "restarts", "condition"),
    [
        ("Up Less than a second", 0, Condition.STARTING),
        ("Up 1 second", 0, Condition.STARTING),
        ("Up 4 seconds", 0, Condition.STARTING),
        ("Up 5 seconds", 0, Condition.READY),
        ("Up Less than a second (healthy)", 0, Condition.READY),
        ("Up 9 seconds", 1, Condition.STARTING),
        ("Up 10 seconds", 1, Condition.READY),
        ("Up 19 seconds", 2, Condition.STARTING),
        ("Up 20 seconds", 2, Condition.READY),
        ("Up 29 seconds", 500, Condition.STARTING),
        ("Up 30 seconds", 500, Condition.READY),
        ("Up 2 seconds (healthy)", 5, Condition.READY),
        ("Up About a minute", 500, Condition.READY),
        ("Up 2 minutes", 500, Condition.READY),
        ("Up About an hour", 500, Condition.READY),
        ("Up 3 weeks", 500, Condition.READY),
    ],
)
def test_without_a_health_check_a_container_must_run_for_a_time_that_grows_with_its_restarts(
    status: str, restarts: int, condition: Condition
) -> None:  # edge-cases.md#75
    own = container("demo", "web", status=status)
    assert condition_of(own, ContainerLook(restarts)) is condition


@pytest.mark.parametrize(
    ("settling_time", "restarts", "status", "condition"),
    [
        (0.0, 3, "Up Less than a second", Condition.READY),
        (0.5, 0, "Up Less than a second", Condition.STARTING),
        (0.5, 0, "Up 1 second", Condition.READY),
        (60.0, 0, "Up 59 seconds", Condition.STARTING),
        (60.0, 5, "Up About a minute", Condition.READY),
    ],
)
def test_the_settling_time_is_a_setting(
    settling_time: float, restarts: int, status: str, condition: Condition
) -> None:
    own = container("demo", "web", status=status)
    assert condition_of(own, ContainerLook(restarts), settling_time) is condition


def test_a_container_without_a_listener_is_never_ready_however_long_it_runs() -> (
    None
):  # edge-cases.md#73
    own = container("demo", "web", status="Up 2 hours")
    look = ContainerLook(silent=(SilentPort(80),))
    (health,) = assess_health(stack_of(web=1), [own], {own.id: look}).containers
    assert health.condition is Condition.STARTING
    assert health.detail == "Up 2 hours; nothing listens on port 80 inside"


def test_a_health_check_goes_before_listeners_and_settling() -> None:
    own = container("demo", "web", status="Up Less than a second (healthy)")
    assert condition_of(own, ContainerLook(3, silent=(SilentPort(80),))) is Condition.READY


@pytest.mark.parametrize("status", ["Exited (1) 0 seconds ago", "Exited (0) 0 seconds ago"])
def test_a_container_between_two_runs_has_neither_failed_nor_ended(status: str) -> None:
    own = container("demo", "web", state="exited", status=status)
    assert needs_look(own)
    assert condition_of(own, ContainerLook(is_between_runs=True)) is Condition.STARTING


@pytest.mark.parametrize(
    ("state", "status", "needed"),
    [
        ("running", "Up 2 hours", True),
        ("running", "Up 2 hours (healthy)", False),
        ("running", "Up 1 second (health: starting)", False),
        ("restarting", "Restarting (1) 1 second ago", True),
        ("created", "Created", False),
    ],
)
def test_only_what_the_list_does_not_tell_is_looked_at(
    state: str, status: str, needed: bool
) -> None:
    assert needs_look(container("demo", "web", state=state, status=status)) is needed


def test_restarts_are_shown_while_waiting() -> None:
    own = container("demo", "web", state="restarting", status="Restarting (3) 1 second ago")
    (health,) = assess_health(stack_of(web=1), [own], {own.id: ContainerLook(4)}).containers
    assert health.detail == "Restarting (3) 1 second ago, restarted 4 times"


def looping(restarts: int, *ready: str) -> StackHealth:
    own = ContainerHealth("web", "demo-web-1", Condition.STARTING, "Restarting (3)", restarts)
    return StackHealth((own, *(ContainerHealth(name, name, Condition.READY) for name in ready)))


def test_a_crash_loop_fails_once_nothing_else_changes() -> None:
    loops = CrashLoops()
    assert [
        loops.judge(looping(count)).is_hopeless for count in (1, MAX_RESTARTS - 1, MAX_RESTARTS)
    ] == [
        False,
        False,
        True,
    ]
    judged = loops.judge(looping(MAX_RESTARTS + 1)).containers[0]
    assert (judged.condition, judged.detail) == (Condition.FAILED, "crash loop: Restarting (3)")


def test_a_crash_loop_gets_new_tries_when_another_service_becomes_ready() -> None:
    loops = CrashLoops()
    assert not loops.judge(looping(40, "db")).is_hopeless, "what it needs may have come this moment"
    assert not loops.judge(looping(40 + MAX_RESTARTS - 1, "db")).is_hopeless
    assert not loops.judge(looping(40 + MAX_RESTARTS, "db", "queue")).is_hopeless
    assert loops.judge(looping(40 + 2 * MAX_RESTARTS, "db", "queue")).is_hopeless


def test_a_container_that_runs_after_many_restarts_does_not_fail() -> None:
    ready = StackHealth((ContainerHealth("web", "demo-web-1", Condition.READY, "Up 2 hours", 40),))
    assert CrashLoops().judge(ready) == ready


def test_a_replica_without_a_container_is_missing() -> None:
    health = assess_health(stack_of(web=3), [container("demo", "web", status="Up 5 seconds")])
    assert [each.condition for each in health.containers] == [
        Condition.READY,
        Condition.MISSING,
        Condition.MISSING,
    ]
    assert [each.container for each in health.waiting_for] == ["", ""]


def test_other_projects_and_one_offs_are_ignored() -> None:
    strangers = [
        container("other", "web"),
        container("demo", "api"),
        container("demo", "web", one_off=True),
    ]
    assert [each.condition for each in assess_health(stack_of(web=1), strangers).containers] == [
        Condition.MISSING
    ]


def test_a_service_scaled_to_0_is_not_waited_for() -> None:  # edge-cases.md#55
    assert assess_health(stack_of(web=0), []) == StackHealth(())
    assert StackHealth(()).is_ready


@pytest.mark.parametrize(
    ("conditions", "ready", "hopeless"),
    [
        ([Condition.READY, Condition.DONE], True, False),
        ([Condition.READY, Condition.STARTING], False, False),
        ([Condition.STARTING, Condition.UNHEALTHY], False, True),
        ([Condition.READY, Condition.FAILED], False, True),
        ([Condition.READY, Condition.MISSING], False, True),
    ],
    ids=["all there", "one starts", "one unhealthy", "one failed", "one missing"],
)
def test_all_must_be_ready_and_one_can_be_hopeless(
    conditions: list[Condition], ready: bool, hopeless: bool
) -> None:
    health = StackHealth(tuple(ContainerHealth("web", "", condition) for condition in conditions))
    assert (health.is_ready, health.is_hopeless) == (ready, hopeless)


class Clock:
    """A clock that advances only by sleeping."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        assert self.now < 1000, "waits for ever"


def health_of(condition: Condition) -> StackHealth:
    return StackHealth((ContainerHealth("web", "demo-web-1", condition),))


def replay(*conditions: Condition) -> Iterator[StackHealth]:
    """Returns one answer per call, and the last one repeatedly."""
    for condition in conditions:
        yield health_of(condition)
    while True:
        yield health_of(conditions[-1])


@pytest.mark.parametrize(
    ("history", "end", "waited"),
    [
        ((Condition.READY,), Condition.READY, False),
        ((Condition.STARTING, Condition.STARTING, Condition.READY), Condition.READY, True),
        ((Condition.STARTING, Condition.FAILED, Condition.READY), Condition.FAILED, True),
        ((Condition.UNHEALTHY, Condition.READY), Condition.UNHEALTHY, False),
    ],
    ids=["ready at once", "ready later", "failed on the way", "unhealthy at once"],
)
def test_waiting_ends_with_the_first_decisive_answer(
    history: tuple[Condition, ...], end: Condition, waited: bool
) -> None:
    clock, readings = Clock(), replay(*history)
    health = wait_until_ready(
        lambda: next(readings), is_over=lambda: clock.now >= 160.0, sleep=clock.sleep
    )
    assert health == health_of(end)
    assert (clock.now > 100.0) is waited


def test_waiting_ends_at_the_deadline_with_the_last_answer() -> None:
    clock, readings = Clock(), replay(Condition.STARTING)
    assert wait_until_ready(
        lambda: next(readings), is_over=lambda: clock.now >= 110.0, sleep=clock.sleep
    ) == health_of(Condition.STARTING)
    assert 110.0 <= clock.now < 112.0


def test_a_passed_deadline_still_gives_one_answer() -> None:
    clock, readings = Clock(), replay(Condition.STARTING)
    assert wait_until_ready(
        lambda: next(readings), is_over=lambda: True, sleep=clock.sleep
    ) == health_of(Condition.STARTING)
    assert clock.now == 100.0


def test_only_changes_are_reported() -> None:
    clock = Clock()
    reported: list[StackHealth] = []
    readings = replay(Condition.STARTING, Condition.STARTING, Condition.STARTING, Condition.READY)
    wait_until_ready(
        lambda: next(readings),
        is_over=lambda: clock.now >= 160.0,
        sleep=clock.sleep,
        on_change=reported.append,
    )
    assert reported == [health_of(Condition.STARTING)], "what is ready is not waited for"
