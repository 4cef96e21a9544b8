"""File and line of a service's variable, in every way that people write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.edges.project.compose_places import line_in_service, line_of_variable, texts_of

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
    assert line_in_service([file], service, "PASSWORD") == (file, line)
    assert line_in_service([file], service, "NOTHING") is None
    assert line_of_variable(texts_of([file]), "PG") == (file, 8)
    assert line_of_variable(texts_of([file, tmp_path / "missing.yml"]), "P") is None


def test_the_last_file_counts_and_included_ones_are_read(tmp_path: Path) -> None:
    base, over, part = tmp_path / "base.yml", tmp_path / "over.yml", tmp_path / "part.yml"
    base.write_text("include: [part.yml]\n" + TEXT)
    over.write_text("services:\n  db:\n    environment: [PASSWORD=b]\n")
    part.write_text("services:\n  queue:\n    environment: [PASSWORD=c]\n")
    assert line_in_service([base, over], "db", "PASSWORD") == (over, 3)
    assert line_in_service([base, over], "queue", "PASSWORD") == (part, 3)
