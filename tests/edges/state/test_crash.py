"""The report about a bug: private, complete, and only in the state folder."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from dartsctl.edges.state.crash import write_report
from dartsctl.text.masker import Masker
from dartsctl.text.safe_text import is_safe
from tiny_disk import tiny_disk
from two_users import ANN, as_user, needs_root, public_folder


@needs_root
def test_root_follows_no_link_of_another_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with public_folder(ANN) as state:
        for name, value in {
            "DARTSCTL_STATE_DIR": str(state),
            "SUDO_UID": str(ANN),
            "SUDO_GID": str(ANN),
        }.items():
            monkeypatch.setenv(name, value)
        as_user(ANN, lambda: (state / "reports").symlink_to(tmp_path))
        assert write_report(ValueError("x"), ["check"], Masker()) is None
        assert list(tmp_path.iterdir()) == []
        (state / "reports").unlink()
        path = write_report(ValueError("x"), ["check"], Masker())
        assert path is not None
        assert (path.parent, path.stat().st_uid, path.stat().st_mode & 0o777) == (
            state / "reports",
            ANN,
            0o600,
        )


@needs_root
def test_a_full_disk_leaves_no_partial_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARTSCTL_STATE_DIR", str(tmp_path))
    with tiny_disk(tmp_path):
        with suppress(OSError):
            (tmp_path / "filler").write_bytes(b"x" * 100_000)
        (tmp_path / "reports").mkdir()
        assert write_report(ValueError("x"), ["check"], Masker()) is None
        assert list((tmp_path / "reports").iterdir()) == []


def test_a_report_contains_no_secret_and_no_control_character(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARTSCTL_STATE_DIR", str(tmp_path))
    masker = Masker()
    masker.learn({"DB_PASSWORD": "canary-known"})
    error = ValueError(
        "canary-known API_TOKEN=canary postgres://u:canary@db \x1b[2J\u202e\nnext: \udcff"
    )
    path = write_report(error, ["run", "--", "mysql", "-pcanary", "\x1b[2J"], masker)
    assert path is not None
    text = path.read_text()
    assert "canary" not in text
    assert all(is_safe(line) for line in text.split("\n"))
    assert "mysql -p***" in text
