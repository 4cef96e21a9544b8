"""A seeded sample of the oracle: `check` compared with what the engine does.

More of it: `make oracle N=300 SEED=7`.
"""

from __future__ import annotations

import pytest

import oracle

pytestmark = [pytest.mark.ports, pytest.mark.timeout(600)]

COUNT = 16


@pytest.fixture(autouse=True)
def ports_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use ports of its own, so that `make oracle` may run beside the tests."""
    monkeypatch.setattr(oracle, "FIRST_BASE", 18500)
    monkeypatch.setattr(oracle, "LAST_BASE", 20000)


def test_check_raises_no_false_alarm_and_misses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    tally, wrong = oracle.run(COUNT, 28, 3)
    told = capsys.readouterr().out
    assert wrong == [], told
    assert sum(tally.values()) == COUNT
    assert tally["agree-ok"] > 0, "a sample without a single stack that starts proves nothing"
    assert tally["agree-conflict"] > 0, "nor does one without a conflict"
    assert tally["uncertain"] <= COUNT // 5, tally
