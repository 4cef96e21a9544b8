"""Processes: described, told apart from lookalikes, and ended only if they are still the same."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from dartsctl.edges.host import processes
from dartsctl.errors import Refused
from dartsctl.ports.process import Process

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

Start = Callable[..., "subprocess.Popen[bytes]"]


def described(pid: int) -> Process:
    process = processes.describe(pid)
    assert process is not None
    return process


def test_a_process_is_described_with_its_family(start: Start, tmp_path: Path) -> None:
    child = start("sleep", "60", cwd=tmp_path)
    until = time.monotonic() + 60
    # the kernel shows the command line a moment after exec
    while not (process := described(child.pid)).command and time.monotonic() < until:
        time.sleep(0.01)
    assert (process.name, process.command, process.cwd) == ("sleep", ("sleep", "60"), str(tmp_path))
    assert process.parents[0] == (os.getpid(), described(os.getpid()).name)
    assert process.parents[-1][0] == 1
    assert child.pid in described(os.getpid()).children
    assert process.started is not None
    assert abs(process.started - time.time()) < 30
    assert {process, described(child.pid)} == {process}


def agrees_with_psutil(pid: int) -> bool:
    """Return whether both descriptions are the same; a process may change in between."""
    for _ in range(20):
        ours, portable = processes.describe(pid), processes.describe_by_psutil(pid)
        if ours == portable:
            return True
    return False


@linux_only
def test_every_process_is_described_as_psutil_describes_it(start: Start, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    program = tmp_path / "a-program-with-a-long-name"
    shutil.copy(shutil.which("sleep") or "", program)
    made = [
        start("bash", "-c", "exec -a 'worker: idle   and waiting' cat < <(sleep 60)"),
        start(str(program), "60", cwd=gone),
        start("sh", "-c", "sleep 60 & sleep 60 & wait"),
    ]
    for child in made:
        until = time.monotonic() + 60
        while not described(child.pid).command and time.monotonic() < until:
            time.sleep(0.01)
    program.unlink()
    gone.rmdir()
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    others = psutil.pids()  # psutil reads every process for the children of one: not of all
    pids = [*others[:40], *others[-40:], *(child.pid for child in made), zombie.pid]
    assert [pid for pid in pids if not agrees_with_psutil(pid)] == []
    assert described(made[0].pid).command[0] == "worker:"
    assert described(made[1].pid).name == program.name
    zombie.wait()


SEEN_BY_NOBODY = """
import os
import psutil
from dartsctl.edges.host import processes
os.setuid(65534)  # only now: nobody may not read this interpreter and this checkout
different = []
for pid in psutil.pids()[:40]:
    if not any(processes.describe(pid) == processes.describe_by_psutil(pid) for _ in range(20)):
        different.append(pid)
print(different, processes.describe(os.getppid()).executable)
"""


@linux_only
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_another_users_processes_are_described_as_psutil_describes_them(start: Start) -> None:
    source = Path(processes.__file__).parents[3]
    program = f"import sys; sys.path.insert(0, {str(source)!r})\n{SEEN_BY_NOBODY}"
    nobody = start(sys.executable, "-c", program)
    assert nobody.communicate(timeout=60)[0].split(b"\n")[0] == b"[] None"


@linux_only
def test_describing_a_process_needs_no_psutil(start: Start) -> None:
    source = Path(processes.__file__).parents[3]
    program = (
        f"import os, sys; sys.path.insert(0, {str(source)!r})\n"
        "from dartsctl.edges.host import processes\n"
        "print(processes.describe(os.getpid()).pid == os.getpid(), 'psutil' in sys.modules)"
    )
    child = start(sys.executable, "-c", program)
    assert child.communicate(timeout=60)[0] == b"True False\n"


def test_the_fast_lookups_equal_the_full_description(start: Start) -> None:
    pid = start("sleep", "60").pid
    process, started = described(pid), processes.start_time(pid)
    assert processes.birth(pid) == process.birth
    assert started is not None
    assert process.started is not None
    assert abs(started - process.started) < 1.5


def test_a_process_that_has_gone_is_none_everywhere(start: Start) -> None:  # edge-cases.md#24
    child = start("true")
    child.wait()
    pid = child.pid
    assert (
        processes.describe(pid),
        processes.birth(pid),
        processes.start_time(pid),
        processes.container_id_of(pid),
    ) == (None,) * 4
    assert not processes.is_within(pid, os.getpid())


def test_a_zombie_is_described_and_counts_as_ended() -> None:  # edge-cases.md#24
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
    process = described(zombie.pid)
    assert (process.status, process.command) == ("zombie", ())
    assert processes.terminate(zombie.pid, process.birth, grace=0)
    assert zombie.wait() == 0


def test_a_stopped_process_is_shown_as_stopped_and_can_be_ended(
    start: Start,
) -> None:  # edge-cases.md#23
    child = start("sleep", "60")
    child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
    process = described(child.pid)
    assert process.status == "stopped"
    assert processes.terminate(child.pid, process.birth, grace=5)
    assert child.wait() == -signal.SIGTERM


def test_a_grandchild_is_within_and_a_sibling_is_not(start: Start) -> None:
    parent = start("sh", "-c", "setsid sleep 60 & echo $!; wait")
    assert parent.stdout is not None
    grandchild = int(parent.stdout.readline())
    sibling = start("sleep", "60").pid
    assert processes.is_within(grandchild, parent.pid)
    assert processes.is_within(parent.pid, parent.pid)
    assert not processes.is_within(sibling, parent.pid)


def test_a_process_with_another_birth_is_not_signalled(
    start: Start,
) -> None:  # edge-cases.md#24
    child = start("sleep", "60")
    assert processes.terminate(child.pid, described(child.pid).birth + 1, grace=0)
    assert child.poll() is None


def test_a_process_that_lost_its_port_is_not_signalled(start: Start) -> None:
    child = start("sleep", "60")
    assert not processes.terminate(
        child.pid, described(child.pid).birth, grace=0, still_wanted=lambda: False
    )
    assert child.poll() is None


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace(start: Start) -> None:
    child = start("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
    assert child.stdout is not None
    child.stdout.readline()
    assert processes.terminate(child.pid, described(child.pid).birth, grace=0.1)
    assert child.wait() == -signal.SIGKILL


@pytest.mark.parametrize(
    "pid",
    [1, os.getpid(), os.getppid(), 0, -1],
    ids=["init", "this process", "our parent", "our group", "every process"],
)
def test_pid_1_this_process_and_its_ancestors_are_never_ended(pid: int) -> None:  # edge-cases.md#25
    with pytest.raises(Refused):
        processes.terminate(pid, processes.birth(pid) or 0, grace=0)


ID = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "container"),
    [
        (f"0::/system.slice/docker-{ID}.scope\n", ID),
        (f"12:cpu:/docker/{ID}\n0::/\n", ID),
        (f"0::/user.slice/user-1000.slice/docker-{ID}.scope/inner\n", ID),
        ("0::/system.slice/ssh.service\n", None),
        ("0::/system.slice/docker.service\n", None),
    ],
)
def test_a_container_is_read_from_the_cgroup(text: str, container: str | None) -> None:
    match = processes._CONTAINER.search(text)
    assert (match and match[1]) == container


def test_a_container_is_read_from_its_mounts_if_the_cgroup_is_hidden() -> None:
    line = (
        f"651 630 8:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname"
        " rw,relatime - ext4 /dev/sda1 rw\n"
    )
    match = processes._MOUNTS.search(line)
    assert match
    assert match[1] == ID


def test_a_child_is_in_the_same_container_as_this_process(start: Start) -> None:
    assert processes.container_id_of(start("sleep", "60").pid) == processes.container_id_of(
        os.getpid()
    )


@pytest.mark.parametrize(
    ("name", "executable", "parents", "forwarder"),
    [
        ("dockerd", "/usr/bin/dockerd", (), True),
        ("containerd-shim-runc-v2", "/usr/bin/containerd-shim-runc-v2", (), True),
        ("containerd-shim", None, (), True),
        ("rootlesskit", "/usr/bin/rootlesskit", (), True),
        ("wslrelay.exe", "C:\\Windows\\System32\\wslrelay.exe", (), True),
        (
            "com.docker.backend",
            "/Applications/Docker.app/Contents/MacOS/com.docker.backend",
            (),
            True,
        ),
        ("dockerd", "/usr/bin/dockerd (deleted)", (), True),
        ("docker-proxy", "/usr/bin/docker-proxy", ((1, "init"),), False),
        ("docker-proxy", "/usr/bin/python3.11", ((1, "init"),), False),
        ("python", "/usr/bin/python3.11", (), False),
        ("dockerd-like", "/opt/dockerd-like", (), False),
    ],
)
def test_a_forwarder_is_recognised_by_its_executable(
    name: str, executable: str | None, parents: tuple[tuple[int, str], ...], forwarder: bool
) -> None:  # edge-cases.md#16, edge-cases.md#47
    assert (
        processes.is_forwarder(Process(4711, name, 1, executable=executable, parents=parents))
        is forwarder
    )


def test_a_script_called_docker_proxy_is_no_forwarder(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "docker-proxy"
    script.write_text(
        f"#!{sys.executable}\nimport time\nprint('ready', flush=True)\ntime.sleep(60)\n"
    )
    script.chmod(0o755)
    child = start(str(script))
    assert child.stdout is not None
    child.stdout.readline()
    process = described(child.pid)
    assert process.name == "docker-proxy"
    assert not processes.is_forwarder(process)


def test_docker_proxy_is_one_only_below_a_real_dockerd(start: Start, tmp_path: Path) -> None:
    for program, name in (("sh", "dockerd"), ("sleep", "docker-proxy")):
        shutil.copy(os.path.realpath(shutil.which(program) or program), tmp_path / name)
    parent = start(str(tmp_path / "dockerd"), "-c", f"{tmp_path}/docker-proxy 5 & echo $!; wait")
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    until = time.monotonic() + 60
    while (proxy := described(pid)).name != "docker-proxy" and time.monotonic() < until:
        time.sleep(0.01)
    assert processes.is_forwarder(proxy)
    os.kill(pid, signal.SIGKILL)
