"""Ratios: in turn, per round, with their spread."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from measure import Failed, Plan, Ratio, command, compare, cpu

pytestmark = pytest.mark.once

THREE = Plan(seconds=0, least=3, most=3)


def scripted(name: str, seconds: list[float], calls: list[str]) -> Callable[[], float]:
    """Return a measurement that notes its calls."""

    def once() -> float:
        calls.append(name)
        return seconds.pop(0)

    return once


def test_both_are_measured_in_turn_and_the_first_round_does_not_count() -> None:
    calls: list[str] = []
    ours = scripted("ours", [100.0, 2.0, 2.0, 2.0], calls)
    peer = scripted("peer", [1.0, 1.0, 1.0, 1.0], calls)
    measured = compare(ours, peer, plan=THREE)
    assert calls == ["ours", "peer"] * 4
    assert (measured.ratio, measured.low, measured.high, measured.rounds) == (2.0, 2.0, 2.0, 3)


def test_the_ratio_is_the_median_of_the_rounds_not_the_ratio_of_the_medians() -> None:
    measured = Ratio.of([(1.0, 1.0), (2.0, 1.0), (30.0, 10.0)])
    assert measured.ratio == 2.0
    assert (measured.ours, measured.peer) == (2.0, 1.0)
    measured = Ratio.of([(1.0, 2.0), (4.0, 1.0), (3.0, 3.0)])
    assert measured.ratio == 1.0
    assert (measured.ours, measured.peer) == (3.0, 2.0)


def test_the_spread_is_the_quartiles_of_the_rounds() -> None:
    measured = Ratio.of([(float(ratio), 1.0) for ratio in (5, 1, 4, 2, 3)])
    assert (measured.low, measured.ratio, measured.high) == (2.0, 3.0, 4.0)


def test_a_share_is_of_the_sum_of_both() -> None:
    assert Ratio.of([(1.0, 3.0)], share=True).ratio == 0.25


def test_a_count_is_a_share_without_times() -> None:
    assert Ratio.of_count(2, 99) == Ratio(2 / 99, 2 / 99, 2 / 99, rounds=1)


@pytest.mark.parametrize(
    ("rounds", "seconds", "done"),
    [
        (6, 23.9, False),
        (7, 5.9, False),
        (7, 6.0, True),
        (40, 5.9, False),
        (41, 0.1, True),
        (3, 24.0, True),
        (2, 100.0, False),
    ],
)
def test_a_plan_ends_with_its_time_or_its_rounds(rounds: int, seconds: float, done: bool) -> None:
    assert Plan(seconds=6.0, least=7, most=41).is_done(rounds, seconds) is done


def test_a_program_is_timed_without_what_cleans_up_after_it(tmp_path: Path) -> None:
    events: list[str] = []

    def clock() -> float:
        events.append("clock")
        return float(len(events))

    once = command(
        [sys.executable, "-c", "pass"],
        cwd=tmp_path,
        environ={},
        clock=clock,
        after=lambda: events.append("after"),
    )
    assert once() == 1.0
    assert events == ["clock", "clock", "after"]


def test_an_unexpected_exit_code_fails_with_what_the_program_wrote(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "import sys; sys.exit('no such port')"]
    command(argv, cwd=tmp_path, environ={}, good=(0, 1))()
    with pytest.raises(Failed, match=r"ended with 1: no such port"):
        command(argv, cwd=tmp_path, environ={})()


def test_cpu_time_is_that_of_programs_that_have_ended(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", "sum(range(3_000_000))"]
    assert command(argv, cwd=tmp_path, environ={}, clock=cpu)() > 0
