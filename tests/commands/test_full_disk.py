"""A full disk under the state folder: one error before anything is printed or started.

On a real, tiny tmpfs.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fakes import hostile_engine
from fakes.hostile_engine import engine
from own_ports import free_ports
from tiny_disk import tiny_disk

if TYPE_CHECKING:
    from fakes.plain_project import Project

pytest_plugins = ("fakes.plain_project",)
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


@pytest.fixture
def full(tmp_path: Path, project: Project) -> Iterator[Path]:
    """The project's state folder, with its folders and no free block."""
    mounted = tmp_path / "full"
    mounted.mkdir()
    with tiny_disk(mounted):
        project.environ["DARTSCTL_STATE_DIR"] = str(mounted / "state")
        assert project.run("run -- true").code == 0
        for file in mounted.glob("state/*/*"):
            file.unlink()  # so that no block can be reused
        with (mounted / "filler").open("wb", buffering=0) as filler:
            while True:
                try:
                    filler.write(bytes(4096))
                except OSError:
                    break
        yield mounted / "state"


@pytest.mark.parametrize("words", ["run", "dev --no-services"])
def test_no_server_is_started_without_a_lease_record(
    project: Project, full: Path, words: str
) -> None:
    started = project.folder / "started"
    (project.folder / "serve.sh").write_text(f"touch {started}\nsleep 600\n")
    settings = project.folder / "dartsctl.toml"
    settings.write_text(settings.read_text().replace('["true"]', '["sh", "serve.sh"]'))
    ended = project.run(f"{words} -- sh serve.sh" if words == "run" else words)
    assert ended.code == 1, ended
    assert "No space left on device" in ended.error
    assert "http://" not in ended.out + ended.err, "no URL without a server"
    assert not started.exists(), "the server never ran"


def test_a_remap_is_not_reported_before_it_is_saved(project: Project, full: Path) -> None:
    (port,) = free_ports(1)
    model = project.folder / "model.json"
    entry = {"mode": "ingress", "host_ip": "127.0.0.1", "target": 80, "protocol": "tcp"}
    ports = json.dumps([{**entry, "published": str(port)}])
    model.write_text(model.read_text().replace('"image"', f'"ports": {ports}, "image"'))
    with engine(project.folder, hostile_engine.is_well), socket.create_server(("127.0.0.1", port)):
        ended = project.run("dev up --on-conflict remap --yes")
    assert ended.code == 1, ended
    assert "No space left on device" in ended.error
    assert "is published on" not in ended.err
