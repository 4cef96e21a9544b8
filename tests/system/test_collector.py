"""The garbage collector runs rarely in a short command, and as usual in a long one."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from dartsctl.system import collector


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    yield
    collector.run_as_usual()


def test_it_is_postponed_and_then_runs_as_before() -> None:
    usual = gc.get_threshold()
    collector.run_rarely()
    assert gc.get_threshold()[0] > usual[0]
    assert gc.isenabled()
    collector.run_as_usual()
    assert gc.get_threshold() == usual
