"""What a shell completes: the values, and silence where they cannot be known."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.cli import completion
from dartsctl.edges.state.leases import LeaseBook


def test_the_ports_of_running_servers_are_completed(own_state_folder: Path) -> None:
    leases = [
        LeaseBook(own_state_folder).acquire([port], confirm=lambda _port: True)
        for port in (7001, 7012, 8001)
    ]
    assert completion.dev_ports("70") == ["7001", "7012"]
    assert completion.dev_ports("") == ["7001", "7012", "8001"]
    for lease in leases:
        assert lease is not None
        lease.close()
    assert completion.dev_ports("") == []


def test_without_an_engine_no_project_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    assert completion.projects("") == []
