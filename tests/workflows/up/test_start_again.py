"""An nginx that missed a name at its start starts again when all others are ready.

edge-cases.md#71
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dartsctl.edges.screen.output import Screen
from dartsctl.stack.health import Condition, ContainerHealth, StackHealth
from dartsctl.workflows.up.start_again import StartAgain


@dataclass
class Stack:
    """A stack with an ended nginx; `missed` is the name in its log."""

    missed: str = "app"
    failure: str = ""
    starts: list[str] = field(default_factory=list)

    def judge(self) -> StartAgain:
        return StartAgain(lambda _: self.missed, self._start, Screen(quiet=True))

    def _start(self, service: str) -> str:
        self.starts.append(service)
        return self.failure


def health(**conditions: Condition) -> StackHealth:
    return StackHealth(
        tuple(ContainerHealth(name, name, condition) for name, condition in conditions.items())
    )


NOT_YET = health(front=Condition.FAILED, app=Condition.STARTING)
OTHERS_READY = health(front=Condition.FAILED, app=Condition.READY)


def test_it_waits_for_the_others_and_then_starts_once_for_each_look() -> None:
    stack = Stack()
    again = stack.judge()
    judged = again.judge(NOT_YET)
    assert not judged.is_hopeless
    assert "is started again when that is ready" in judged.containers[0].detail
    assert stack.starts == []
    assert not again.judge(OTHERS_READY).is_hopeless
    assert stack.starts == ["front"]


def test_it_does_not_wait_for_a_service_that_may_wait_for_it() -> None:
    stack = Stack()
    unheard = ContainerHealth("app", "app", Condition.STARTING, is_unheard=True)
    front = ContainerHealth("front", "front", Condition.FAILED)
    again = stack.judge()
    for _ in range(2):
        assert not again.judge(StackHealth((front, unheard))).is_hopeless
    assert stack.starts == ["front"], "once, while nothing listens there"
    again.judge(OTHERS_READY)
    assert stack.starts == ["front"] * 2


def test_after_two_starts_it_has_failed() -> None:
    stack = Stack()
    again = stack.judge()
    for _ in range(3):
        judged = again.judge(OTHERS_READY)
    assert stack.starts == ["front"] * 2
    assert judged.is_hopeless


def test_what_ended_for_another_reason_has_failed() -> None:
    stack = Stack(missed="")
    assert stack.judge().judge(OTHERS_READY) == OTHERS_READY
    assert stack.starts == []


def test_a_second_failed_service_is_not_waited_for() -> None:
    stack = Stack()
    both = health(front=Condition.FAILED, app=Condition.FAILED)
    assert stack.judge().judge(both) == both
    assert stack.starts == []


def test_a_start_that_fails_is_not_tried_again() -> None:
    stack = Stack(failure="no space left on device")
    again = stack.judge()
    assert again.judge(OTHERS_READY).is_hopeless
    assert again.judge(OTHERS_READY).is_hopeless
    assert stack.starts == ["front"]
