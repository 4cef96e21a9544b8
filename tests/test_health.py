"""When a stack is up, and when waiting longer cannot help."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dartsctl.health import Condition, Health, ServiceHealth, assess, wait
from dartsctl.stack import Service, Stack
from fake_kernel import container


def stack_of(**replicas: int) -> Stack:
    return Stack("demo", {name: Service(name, replicas=count) for name, count in replicas.items()}, {})


@pytest.mark.parametrize(
    ("state", "status", "condition"),
    [
        ("running", "Up 3 seconds", Condition.READY),
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
def test_where_one_container_stands(state: str, status: str, condition: Condition) -> None:  # EDGE 32, 74
    health = assess(stack_of(web=1), [container("demo", "web", state=state, status=status)])
    assert health.services == (ServiceHealth("web", "demo-web-1", condition, status),)


def test_a_replica_that_is_not_there_is_missing() -> None:
    health = assess(stack_of(web=3), [container("demo", "web", status="Up 3 seconds")])
    assert [one.condition for one in health.services] == [Condition.READY, Condition.MISSING, Condition.MISSING]
    assert [one.container for one in health.waiting_for] == ["", ""]


def test_containers_of_others_and_one_offs_stand_for_nothing() -> None:
    strangers = [container("other", "web"), container("demo", "api"), container("demo", "web", one_off=True)]
    assert [one.condition for one in assess(stack_of(web=1), strangers).services] == [Condition.MISSING]


def test_a_service_scaled_to_nothing_is_not_waited_for() -> None:  # EDGE 55
    assert assess(stack_of(web=0), []) == Health(())
    assert Health(()).is_ready


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
def test_ready_means_all_and_hopeless_means_one(conditions: list[Condition], ready: bool, hopeless: bool) -> None:
    health = Health(tuple(ServiceHealth("web", "", condition) for condition in conditions))
    assert (health.is_ready, health.is_hopeless) == (ready, hopeless)


class Clock:
    """A time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        assert self.now < 1000, "waits for ever"


def one(condition: Condition) -> Health:
    return Health((ServiceHealth("web", "demo-web-1", condition),))


def replay(*conditions: Condition) -> Iterator[Health]:
    """One answer a reading; the last one again and again."""
    for condition in conditions:
        yield one(condition)
    while True:
        yield one(conditions[-1])


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
def test_waiting_ends_with_the_first_answer_that_decides(history: tuple[Condition, ...], end: Condition, waited: bool) -> None:
    clock, readings = Clock(), replay(*history)
    health = wait(lambda: next(readings), deadline=160.0, clock=clock, sleep=clock.sleep)
    assert health == one(end)
    assert (clock.now > 100.0) is waited


def test_waiting_ends_at_the_deadline_with_the_last_answer() -> None:
    clock, readings = Clock(), replay(Condition.STARTING)
    assert wait(lambda: next(readings), deadline=110.0, clock=clock, sleep=clock.sleep) == one(Condition.STARTING)
    assert 110.0 <= clock.now < 112.0


def test_a_deadline_that_has_passed_still_gives_one_answer() -> None:
    clock, readings = Clock(), replay(Condition.STARTING)
    assert wait(lambda: next(readings), deadline=0.0, clock=clock, sleep=clock.sleep) == one(Condition.STARTING)
    assert clock.now == 100.0


def test_only_changes_are_told() -> None:
    clock = Clock()
    told: list[Health] = []
    readings = replay(Condition.STARTING, Condition.STARTING, Condition.STARTING, Condition.READY)
    wait(lambda: next(readings), deadline=160.0, clock=clock, sleep=clock.sleep, on_change=told.append)
    assert told == [one(Condition.STARTING), one(Condition.READY)]
