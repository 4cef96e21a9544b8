"""A seeded sample of the kills. For more: `make kills N=100 SEED=7`."""

from __future__ import annotations

import os
import sys

import kills
import pytest

pytestmark = pytest.mark.once


@pytest.mark.engine
def test_a_killed_dartsctl_leaves_no_process_and_no_lease_and_touches_no_bystander() -> None:
    assert kills.kills(4, 3) == []


@pytest.mark.skipif(
    os.geteuid() != 0 or sys.platform != "linux", reason="a pid namespace needs root, and Linux"
)
def test_a_reused_pid_is_never_signalled() -> None:
    assert kills.reuses(10) == []
