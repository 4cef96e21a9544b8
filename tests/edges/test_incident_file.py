"""The report's file: new, private, never over one that is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dartsctl.edges.incident_file import IncidentFile
from dartsctl.errors import DartsctlError


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        one = IncidentFile(tmp_path / "incident.md")
    finally:
        os.umask(before)
    one.write("# Ä\n")
    assert (one.path.read_text(encoding="utf-8"), one.path.stat().st_mode & 0o777) == ("# Ä\n", 0o600)


def test_a_file_that_is_there_stays_as_it_is_and_the_next_free_name_is_taken(tmp_path: Path) -> None:
    for name in ("incident.md", "incident-2.md"):
        (tmp_path / name).write_text("mine")
    one = IncidentFile(tmp_path / "incident.md")
    one.write("new")
    assert one.path == tmp_path / "incident-3.md"
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"incident.md": "mine", "incident-2.md": "mine", "incident-3.md": "new"}


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "incident.md").symlink_to(tmp_path / "elsewhere")
    one = IncidentFile(tmp_path / "incident.md")
    one.write("new")
    assert one.path.name == "incident-2.md"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["no-such-folder/incident.md", "file/incident.md", "n" * 300])
def test_a_file_that_cannot_be_made_is_told_before_anything_is_done(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DartsctlError, match=r"cannot be written: .*; nothing was done"):
        IncidentFile(tmp_path / name)


def test_a_full_disk_is_told() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    one = IncidentFile.__new__(IncidentFile)
    one.path, one._descriptor = Path("/dev/full"), os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(DartsctlError, match="could not be written: No space left"):
        one.write("x")


def test_a_hundred_reports_of_one_name_are_enough(tmp_path: Path) -> None:
    for _ in range(100):
        IncidentFile(tmp_path / "incident.md").write("")
    with pytest.raises(DartsctlError, match="99 more of that name"):
        IncidentFile(tmp_path / "incident.md")
