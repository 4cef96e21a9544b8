"""Production's ports as the settings have them: each with its line, or the default list."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.config.documented_ports import documented_ports
from dartsctl.config.load_settings import load


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("dartsctl.toml", "[ports.production]"),
        ("pyproject.toml", "[tool.dartsctl.ports.production]"),
    ],
)
def test_each_port_has_the_line_of_its_service(tmp_path: Path, name: str, header: str) -> None:
    (tmp_path / name).write_text(f"# ours\n{header}\nweb = [80, 443]\ndb = 5432\n")
    allocation = documented_ports(load(tmp_path, {}))
    assert allocation.claim(443) == f"belongs to production's web ({name}:3)"
    assert allocation.claim(5432) == f"belongs to production's db ({name}:4)"
    assert set(allocation.owners) == {80, 443, 5432}


@pytest.mark.parametrize("text", ["", '[ports]\ndev_range = "6001-6099"\n'])
def test_without_the_table_it_is_the_default_list(tmp_path: Path, text: str) -> None:
    (tmp_path / "dartsctl.toml").write_text(text)
    assert documented_ports(load(tmp_path, {})).is_default


def test_an_empty_table_reserves_nothing(tmp_path: Path) -> None:
    (tmp_path / "dartsctl.toml").write_text("[ports.production]\n")
    assert documented_ports(load(tmp_path, {})).owners == {}
