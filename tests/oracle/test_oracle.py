"""A seeded sample of the oracle: what `check` says, and what the engine then does.

For more: `make oracle N=300 SEED=7`.
"""

from __future__ import annotations

import pytest

import oracle

pytestmark = [pytest.mark.ports, pytest.mark.timeout(600)]

COUNT = 16


@pytest.fixture(autouse=True)
def own_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use other ports, so that `make oracle` may run at the same time."""
    monkeypatch.setattr(oracle, "FIRST_BASE", 18500)
    monkeypatch.setattr(oracle, "LAST_BASE", 20000)


def test_check_raises_no_false_alarm_and_misses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    tally, wrong = oracle.run(COUNT, 28, 3)
    output = capsys.readouterr().out
    assert wrong == [], output
    assert sum(tally.values()) == COUNT
    assert tally["agree-ok"] > 0, "the sample needs a stack that starts"
    assert tally["agree-conflict"] > 0, "the sample needs a conflict"
    assert tally["uncertain"] <= COUNT // 5, tally
