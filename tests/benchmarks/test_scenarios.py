"""What `make bench` does with dartsctl works in this checkout; nothing is compared with a time."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from product import Product
from run import TARGETS
from session import free_ports

pytestmark = pytest.mark.once


def run_once(name: str, folder: Path) -> float:
    """Run one round of the target with this name, with the dartsctl of these tests."""
    (target,) = (target for target in TARGETS if target.name == name)
    product = Product("test", Path(sys.prefix), folder, free_ports(120))
    assert target.scenario is not None
    with target.scenario(product) as once:
        return once()


@pytest.mark.parametrize(
    "name",
    [
        "dartsctl --version / docker --version",
        "dartsctl --help / docker compose version",
        "dartsctl dev url / docker compose version",
        "dartsctl ports --json / docker compose version",
    ],
)
def test_a_light_command_ends_well(name: str, tmp_path: Path) -> None:
    assert run_once(name, tmp_path) > 0


@pytest.mark.engine
@pytest.mark.parametrize(
    "name",
    [
        "dartsctl prod check --json / docker compose config --format json",
        "preflight of 7 small services / preflight and a cold `docker compose up -d`",
    ],
)
def test_a_check_ends_with_its_verdicts(name: str, tmp_path: Path) -> None:
    assert run_once(name, tmp_path) > 0
