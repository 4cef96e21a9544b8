"""The containers' networks: one runs without any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.problems.of_network import without_network

if TYPE_CHECKING:
    from dartsctl.alerts.problem import Kind, Problem
    from dartsctl.workflows.watch.checks.base import Examined

COVERS: frozenset[Kind] = frozenset()


def check(examined: Examined) -> list[Problem]:
    """Return the services with such a container."""
    return list(without_network(examined.facts))
