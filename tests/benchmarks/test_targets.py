"""The targets: their limits, and what becomes of one that cannot be measured."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from measure import Failed, Plan, Ratio, Skipped, Timed
from product import Product
from run import TARGETS
from targets import Bench, Target, for_each, just, pair

pytestmark = pytest.mark.once

BENCH = Bench(
    Product("bench", Path("/nowhere"), Path("/nowhere"), first_port=62_001),
    Plan(seconds=0, least=1, most=1),
)


def test_no_two_targets_have_one_name() -> None:
    names = Counter(target.name for target in TARGETS)
    assert [name for name, count in names.items() if count > 1] == []


def test_a_pair_compares_dartsctl_with_its_peer() -> None:
    target = pair(
        "ports", "lsof", 0.6, scenario=just(lambda _: lambda: 1.0), against=just(lambda _: _two)
    )
    row = target.row(BENCH)
    assert row.measured is not None
    assert (row.name, row.verdict, row.measured.ratio) == ("ports / lsof", "ok", 0.5)


def _two() -> float:
    return 2.0


@pytest.mark.parametrize(
    ("error", "verdict"), [(Skipped("no lsof"), "skipped"), (Failed("ended with 70"), "FAILED")]
)
def test_a_peer_that_is_missing_is_noticed_before_anything_starts(
    error: Exception, verdict: str
) -> None:
    started: list[str] = []

    def ours(_product: Product) -> Timed:
        started.append("ours")
        return _two

    def peer(_product: Product) -> Timed:
        raise error

    row = pair("ports", "lsof", 0.6, scenario=just(ours), against=just(peer)).row(BENCH)
    assert (row.verdict, row.reason, started) == (verdict, str(error), [])


def test_something_slow_gets_more_time_and_fewer_rounds() -> None:
    bench = Bench(BENCH.product, Plan(seconds=6.0, least=7, most=41))
    assert bench.longer(5.0) == Plan(seconds=30.0, least=5, most=41)


def test_each_target_is_measured_once() -> None:
    targets = [Target(name, "", None, lambda _: Ratio.of_count(0, 1)) for name in "abc"]
    measured: list[Target] = []
    for_each(targets, measured.append)
    assert measured == targets
