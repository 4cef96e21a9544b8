"""File and line of a service's variable, in every way that people write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.edges.project.compose_places import ComposePlaces

TEXT = """services:
  db-backup:
    environment:
      PASSWORD: a
  db:
    environment:
      - MY_PASSWORD=x
      - PASSWORD=${PG:-x}
  "web":
    depends_on:
      db: {condition: service_started}
    environment: {"PASSWORD": "a"}
"""


@pytest.mark.parametrize(("service", "line"), [("db-backup", 4), ("db", 8), ("web", 12)])
def test_a_variable_is_found_in_its_own_service(tmp_path: Path, service: str, line: int) -> None:
    file = tmp_path / "compose.yml"
    file.write_text(TEXT)
    places = ComposePlaces([file, tmp_path / "missing.yml"], tmp_path)
    assert places.in_service(service, "PASSWORD") == f"compose.yml:{line}"
    assert places.in_service(service, "NOTHING") == ""
    assert places.of_variable("PG") == "compose.yml:8"
    assert places.of_variable("P") == ""


def test_a_service_is_where_its_name_stands(tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_text(TEXT)
    places = ComposePlaces([tmp_path / "compose.yml"], tmp_path)
    assert places.in_service("db") == "compose.yml:5"
    assert places.in_service("cache") == ""


def test_the_last_file_counts_and_included_ones_are_read(tmp_path: Path) -> None:
    base, over, part = tmp_path / "base.yml", tmp_path / "over.yml", tmp_path / "part.yml"
    base.write_text("include: [part.yml]\n" + TEXT)
    over.write_text("services:\n  db:\n    environment: [PASSWORD=b]\n")
    part.write_text("services:\n  queue:\n    environment: [PASSWORD=c]\n")
    places = ComposePlaces([base, over], tmp_path)
    assert places.in_service("db", "PASSWORD") == "over.yml:3"
    assert places.in_service("queue", "PASSWORD") == "part.yml:3"
