"""What surely does not exist in a container: never said of anything that the engine would see."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dartsctl.edges.host.container_root import ContainerRoot, lacks_below
from own_images import BUSYBOX

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")

Lacks = Callable[[str], bool]


@pytest.fixture
def lacks(tmp_path: Path) -> Lacks:
    """A root folder as images have it; the function says what is surely not in it."""
    for folder in ("usr/bin", "usr/sbin", "opt/tools"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "usr/sbin/nginx").write_text("")
    (tmp_path / "usr/bin/broken").symlink_to("nowhere")
    (tmp_path / "sbin").symlink_to("usr/sbin")
    (tmp_path / "bin").symlink_to("/usr/bin")
    (tmp_path / "usr/local").symlink_to("../opt")
    (tmp_path / "loop").symlink_to("loop/loop")
    return lambda path: lacks_below(str(tmp_path), path)


@pytest.mark.parametrize(
    "path", ["/usr/bin/nginx", "/nowhere/nginx", "/sbin/nginx2", "/usr/sbin/nginx/x", "/opt//x"]
)
def test_what_is_not_there_is_lacking(lacks: Lacks, path: str) -> None:
    assert lacks(path)


@pytest.mark.parametrize(
    "path",
    [
        "/usr/sbin/nginx",
        "/sbin/nginx",
        "/usr/bin/broken",
        "/",
        "/usr//sbin/./nginx",
        "/bin/nginx",
        "/usr/local/nginx",
        "/usr/../nginx",
        "/loop/nginx",
        "nginx",
        "",
    ],
)
def test_what_is_there_or_may_be_is_not(lacks: Lacks, path: str) -> None:
    assert not lacks(path)


def test_nothing_is_sure_of_a_process_that_is_gone_or_in_no_container() -> None:
    assert not ContainerRoot("c0ffee", 0).lacks("/no/such/path")
    assert not ContainerRoot("c0ffee", os.getpid()).lacks("/no/such/path")
    assert not ContainerRoot("c0ffee", 2**22 + 1).lacks("/no/such/path")


@pytest.mark.engine
def test_of_a_real_container_it_says_what_an_exec_would(live: LiveStack) -> None:
    from live.stack import docker

    name = live.container("-e", "PATH=/tools:/bin", BUSYBOX, "sleep", "600")
    docker("exec", name, "mkdir", "/tools")
    identity, pid = docker("inspect", "-f", "{{.Id}} {{.State.Pid}}", name).split()
    root = ContainerRoot(identity, int(pid), "/tools:/bin")
    if os.geteuid() != 0:
        assert not root.lacks_program("nginx")
        return
    assert root.lacks_program("nginx")
    assert root.lacks("/etc/nginx")
    assert not root.lacks_program("sleep")
    assert not ContainerRoot("0" * 64, int(pid)).lacks_program("nginx"), "another container's"
    docker("exec", name, "touch", "/tools/nginx")
    assert not root.lacks_program("nginx")
