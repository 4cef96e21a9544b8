"""Two versions: what counts as faster or slower, and what is compared."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from compare import Difference, comparable, difference
from measure import Failed, Plan, Ratio, Skipped, Timed
from product import Product
from run import TARGETS
from targets import Target, just, pair

pytestmark = pytest.mark.once

ONCE = Plan(seconds=0, least=1, most=1)


def product(name: str) -> Product:
    return Product(name, Path("/nowhere"), Path("/nowhere"), first_port=62_001)


OLD, NEW = product("old"), product("new")


def between(low: float, ratio: float, high: float) -> Difference:
    return Difference("dartsctl ports", Ratio(ratio, low, high, rounds=11, ours=1.0, peer=1.0))


@pytest.mark.parametrize(
    ("measured", "verdict", "is_worse"),
    [
        (between(0.8, 0.9, 0.99), "faster", False),
        (between(0.8, 0.9, 1.0), "same", False),
        (between(0.9, 1.3, 1.5), "same", False),
        (between(1.01, 1.04, 1.2), "slower", False),
        (between(1.01, 1.06, 1.2), "slower", True),
        (Difference("ports", reason="other modules"), "skipped", False),
        (Difference("ports", reason="it ended with 70", failed=True), "FAILED", True),
    ],
)
def test_a_difference_counts_where_three_of_four_rounds_agree(
    measured: Difference, verdict: str, is_worse: bool
) -> None:
    assert (measured.verdict, measured.is_worse(1.05)) == (verdict, is_worse)


def test_the_ratio_is_new_to_old() -> None:
    @contextlib.contextmanager
    def scenario(product: Product) -> Iterator[Timed]:
        yield lambda: {"old": 2.0, "new": 1.0}[product.name]

    target = pair("ports", "lsof", 1.0, scenario=scenario, against=scenario)
    measured = difference(target, NEW, OLD, ONCE).measured
    assert measured is not None
    assert (measured.ratio, measured.ours, measured.peer) == (0.5, 1.0, 2.0)


@pytest.mark.parametrize(
    ("error", "verdict"), [(Skipped("other modules"), "skipped"), (Failed("ended"), "FAILED")]
)
def test_what_one_version_cannot_do_is_a_row_with_its_reason(
    error: Exception, verdict: str
) -> None:
    def timed(product: Product) -> Timed:
        if product is OLD:
            raise error
        return lambda: 1.0

    target = pair("ports", "lsof", 1.0, scenario=just(timed), against=just(timed))
    row = difference(target, NEW, OLD, ONCE)
    assert (row.verdict, row.reason) == (verdict, str(error))


def test_each_thing_is_compared_once_whatever_its_peers() -> None:
    names = [target.ours for target in comparable(TARGETS, "")]
    assert len(names) == len(set(names))
    assert "dartsctl ports --json" in names
    assert not any(name.startswith("a death noticed") for name in names)
    (target,) = comparable(TARGETS, "dev url")
    assert target.ours == "dartsctl dev url"


def test_a_target_without_a_scenario_is_not_compared() -> None:
    counted = Target("duplicates", "", 0.0, measure=lambda _bench: Ratio.of_count(0, 99))
    assert comparable([counted], "") == []
