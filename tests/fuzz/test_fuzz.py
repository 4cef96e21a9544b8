"""A sample of the fuzzer. For more: `make fuzz N=10000 SEED=7`."""

from __future__ import annotations

from pathlib import Path

import bench
import cases
import pytest

import fuzz

pytestmark = [pytest.mark.once, pytest.mark.timeout(180)]

COUNT = 160
BUDGET = 90.0
"""Seconds after which no further case is started."""


def test_a_healthy_machine_ends_as_it_should(tmp_path: Path) -> None:
    """Otherwise the fuzzer would only test how dartsctl fails."""
    bench.prepare(tmp_path)
    codes = {
        ("check", "-f", "compose.yml"): 3,
        ("prod", "check", "--json"): 3,
        ("prod", "ps"): 0,
        ("prod", "config"): 0,
        ("ports", "--json"): 0,
        ("doctor", "--json"): 1,
        ("prod", "up", "--skip-port-check"): 6,
        ("prod", "down", "--no-input"): 0,
        ("run", "--", "true"): 0,
        ("history",): 0,
    }
    ended = {words: bench.run(cases.healthy(words), tmp_path) for words in codes}
    assert {words: outcome.code for words, outcome in ended.items()} == codes


def test_whatever_comes_from_outside_ends_well() -> None:
    result = fuzz.run(COUNT, seed=2026, jobs=2, budget=BUDGET)
    assert not result.failures, fuzz.report(result, BUDGET)
    assert len(result.codes) > 4, "the sample needs different ends"
