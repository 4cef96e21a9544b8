"""`dartsctl watch dev --heal` on a dev stack that was moved to other ports."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from live.stack import LiveStack
    from live.watched import Watched

pytest_plugins = ("live.stack", "live.watched")
pytestmark = pytest.mark.engine


def test_what_is_healed_keeps_the_port_that_it_was_moved_to(
    live: LiveStack, watched: Watched
) -> None:
    from live.stack import docker, sleeper

    port, name = live.ports[0], f"{live.project}-web-1"
    live.compose({"web": sleeper(f"127.0.0.1:{port}:80", restart="no", init=False)})
    live.settings(environment="dev")
    holder = live.listen(port)
    moved = live.run("dev", "up", "--on-conflict", "remap", "--yes")
    assert moved.code == 0, moved.text
    live.end(holder)
    published = docker("port", name)
    assert str(port) not in published
    watched.start("dev", "--heal")
    os.kill(int(docker("inspect", "-f", "{{.State.Pid}}", name)), signal.SIGKILL)
    healed = watched.wait_for("healed")
    assert healed["data"]["ok"], watched.text
    assert docker("port", name) == published
