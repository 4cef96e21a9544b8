"""The time of a watch goes on evenly, and follows the wall clock only when it is asked to."""

from __future__ import annotations

from dartsctl.workflows.watch.steady_clock import SteadyClock


class Time:
    def __init__(self) -> None:
        self.wall = 1000.0
        self.monotonic = 5.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


def test_a_wall_clock_that_is_set_changes_nothing_until_it_is_followed() -> None:
    time = Time()
    clock = SteadyClock(lambda: time.wall, lambda: time.monotonic)
    time.pass_by(10)
    time.wall -= 3600
    assert clock() == 1010
    assert clock.follow() == -3600
    assert clock() == time.wall
    assert clock.follow() == 0


def test_a_small_difference_is_no_jump() -> None:
    time = Time()
    clock = SteadyClock(lambda: time.wall, lambda: time.monotonic)
    time.wall += 1.5
    assert clock.follow() == 0
    assert clock() == 1000
