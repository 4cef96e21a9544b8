"""Containers that run without a network."""

from __future__ import annotations

from typing import Any

import pytest

from dartsctl.alerts.problems.of_network import without_network
from fakes.stack_facts import container, facts, service


@pytest.mark.parametrize(
    ("more", "is_problem"),
    [
        ({"networks": {}, "network_mode": "shop_default"}, True),
        ({"networks": {"shop_default": "10.0.0.2"}, "network_mode": "shop_default"}, False),
        ({"networks": {}, "network_mode": "host"}, False),
        ({"networks": {}, "network_mode": "none"}, False),
        ({"networks": {}, "network_mode": "container:web"}, False),
        ({"networks": {}, "network_mode": "shop_default", "state": "exited"}, False),
        ({"networks": {}, "network_mode": ""}, False),
    ],
)
def test_a_container_that_should_be_on_a_network(more: dict[str, Any], is_problem: bool) -> None:
    rows = list(without_network(facts(service("db", container("db", **more)))))
    assert [row.sentence for row in rows] == ["db runs and is on no network"] * is_problem
