"""The report's file: new, private, never over one that is there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dartsctl.edges.state.incident_file import IncidentFile
from dartsctl.errors import DartsctlError, Refused
from tiny_disk import tiny_disk
from two_users import ANN, as_user, needs_root, public_folder


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        report = IncidentFile(tmp_path / "incident.md")
    finally:
        os.umask(before)
    report.write("# Ä\n")
    assert (report.path.read_text(encoding="utf-8"), report.path.stat().st_mode & 0o777) == (
        "# Ä\n",
        0o600,
    )


def test_an_existing_file_is_kept_and_the_next_free_name_used(
    tmp_path: Path,
) -> None:
    for name in ("incident.md", "incident-2.md"):
        (tmp_path / name).write_text("mine")
    report = IncidentFile(tmp_path / "incident.md")
    report.write("new")
    assert report.path == tmp_path / "incident-3.md"
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        "incident.md": "mine",
        "incident-2.md": "mine",
        "incident-3.md": "new",
    }


def make_link(path: Path) -> None:
    path.symlink_to(path.with_name("elsewhere"))


SPECIAL = {make_link: "is a symbolic link", Path.mkdir: "is a folder", os.mkfifo: "is a named pipe"}


@pytest.mark.parametrize("make", SPECIAL)
def test_a_name_that_is_no_file_is_refused_without_a_numbered_file(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "incident.md")
    with pytest.raises(
        Refused,
        match=rf"cannot write the report .*: .*/incident.md {SPECIAL[make]}; nothing was done",
    ):
        IncidentFile(tmp_path / "incident.md")
    assert [path.name for path in tmp_path.iterdir()] == ["incident.md"]


@pytest.mark.parametrize("name", ["/dev/null", "/dev/stdout", "/dev/fd/1", "/dev/full"])
def test_a_device_is_refused_without_a_numbered_file(name: str) -> None:
    before = sorted(Path("/dev").iterdir())
    with pytest.raises(Refused, match=f"cannot write the report {name}: "):
        IncidentFile(Path(name))
    assert sorted(Path("/dev").iterdir()) == before


@needs_root
def test_root_does_not_follow_another_user_s_link(tmp_path: Path) -> None:
    with public_folder(ANN) as folder:
        as_user(ANN, lambda: (folder / "reports").symlink_to(tmp_path))
        with pytest.raises(Refused, match="is a symbolic link of another user"):
            IncidentFile(folder / "reports" / "incident.md")
        report = IncidentFile(folder / "incident.md")
        report.write("")
        assert report.path.stat().st_uid == ANN
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["no-such-folder/incident.md", "file/incident.md", "n" * 300])
def test_a_file_that_cannot_be_created_is_an_error_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DartsctlError, match=r"cannot write the report .*: .*; nothing was done"):
        IncidentFile(tmp_path / name)


@needs_root
def test_a_full_disk_is_an_error_and_leaves_no_partial_report(tmp_path: Path) -> None:
    with tiny_disk(tmp_path):
        report = IncidentFile(tmp_path / "incident.md")
        with pytest.raises(DartsctlError, match=r"could not write the report .*: No space left"):
            report.write("x" * 100_000)
        assert list(tmp_path.iterdir()) == []


def test_there_are_at_most_a_hundred_reports_of_one_name(tmp_path: Path) -> None:
    for _ in range(100):
        IncidentFile(tmp_path / "incident.md").write("")
    with pytest.raises(DartsctlError, match="there are 100 reports with this name"):
        IncidentFile(tmp_path / "incident.md")
