"""A full disk under the state folder: noticed before anything is said or started, in one sentence. A real, tiny tmpfs."""

from __future__ import annotations

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
    """The state folder of the project, with its folders made and no block left."""
    mounted = tmp_path / "full"
    mounted.mkdir()
    with tiny_disk(mounted):
        project.environ["DARTSCTL_STATE_DIR"] = str(mounted / "state")
        assert project.run("run -- true").code == 0
        for file in mounted.glob("state/*/*"):
            file.unlink()  # their blocks would be used again
        with (mounted / "filler").open("wb", buffering=0) as filler:
            while True:
                try:
                    filler.write(bytes(4096))
                except OSError:
                    break
        yield mounted / "state"


@pytest.mark.parametrize("words", ["run", "dev --no-services"])
def test_no_server_is_started_that_could_not_be_written_down(
    project: Project, full: Path, words: str
) -> None:
    started = project.folder / "started"
    (project.folder / "serve.sh").write_text(f"touch {started}\nsleep 600\n")
    settings = project.folder / "dartsctl.toml"
    settings.write_text(settings.read_text().replace('["true"]', '["sh", "serve.sh"]'))
    ended = project.run(f"{words} -- sh serve.sh" if words == "run" else words)
    assert ended.code == 1, ended
    assert "No space left on device" in ended.error
    assert "http://" not in ended.out + ended.err, "no URL of a server that is not there"
    assert not started.exists(), "the server never ran"


def test_a_move_is_not_said_before_it_is_kept(project: Project, full: Path) -> None:
    (port,) = free_ports(1)
    model = project.folder / "model.json"
    entry = f'"ports": [{{"mode": "ingress", "host_ip": "127.0.0.1", "target": 80, "published": "{port}", "protocol": "tcp"}}], '
    model.write_text(model.read_text().replace('"image"', f'{entry}"image"'))
    with engine(project.folder, hostile_engine.is_well), socket.create_server(("127.0.0.1", port)):
        ended = project.run("dev up --on-conflict remap --yes")
    assert ended.code == 1, ended
    assert "No space left on device" in ended.error
    assert "is published on" not in ended.err
