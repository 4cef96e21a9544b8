"""The table of growth: every step can be measured, and its exponent is that of the growth."""

from __future__ import annotations

import pytest

import scale
from dartsctl.ports.conflicts import Verdict
from dartsctl.stack.compose_model import read_stack


def test_each_size_is_twice_the_one_before() -> None:
    assert scale.sizes_to(1000) == [125, 250, 500, 1000]


@pytest.mark.parametrize(("power", "growth"), [(0, "0.00"), (1, "1.00"), (2, "2.00")])
def test_the_last_column_is_the_exponent(power: int, growth: str) -> None:
    seconds = {size: (size / 1000) ** power for size in scale.sizes_to(1000)}
    assert scale.row("a step", seconds).endswith(f"| {growth} |")


@pytest.mark.parametrize("step", scale.OF_A_STACK)
def test_every_step_of_a_stack_can_be_measured(step: str) -> None:
    assert scale.fastest(scale.OF_A_STACK[step](2)) >= 0


def test_the_verdicts_that_are_measured_are_what_their_rows_say() -> None:
    stack = read_stack(scale.model(3))
    free = scale.judged(stack, (), scale.Kernel())
    assert {checked.verdict for checked in free} == {Verdict.FREE}
    assert len(free) == 3 * scale.PORTS_EACH
