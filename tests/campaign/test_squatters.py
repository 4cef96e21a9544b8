"""A seeded sample of the rounds. For more: `make reserve N=50 SEED=7`."""

from __future__ import annotations

import pytest
import squatters

from live.reserved_stack import has_gate

pytestmark = [pytest.mark.once, pytest.mark.engine]


@pytest.mark.skipif(not has_gate(), reason="needs root, and BPF")
def test_a_squatter_never_gets_the_port_and_up_always_does() -> None:
    assert squatters.rounds(2, seed=3, squatters=[" ".join(squatters.ADDRESSES)]) == []
