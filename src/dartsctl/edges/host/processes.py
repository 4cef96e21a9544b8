"""The host's processes. Nothing here raises because a process has gone or belongs to another user.

The only file that imports psutil for processes.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path

from dartsctl.edges.host import linux_process
from dartsctl.edges.host.signals import foreign_process
from dartsctl.errors import Advice, Refused
from dartsctl.ports.process import Process
from dartsctl.system.child import SIGCONT, SIGKILL, SIGTERM
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    import psutil

    T = TypeVar("T")


_ON_LINUX: bool = sys.platform == "linux"
"""Elsewhere psutil is used, which takes longer to import."""
_FORWARDERS = frozenset(
    {
        "docker-proxy",
        "dockerd",
        "containerd",
        "rootlesskit",
        "slirp4netns",
        "com.docker.backend",
        "vpnkit",
        "vpnkit-bridge",
        "wslrelay",
        "wslhost",
        "rootlessport",
        "pasta",
        "pasta.avx2",
        "conmon",
        "podman",
        "gvproxy",
        "limactl",
        "OrbStack",
        "OrbStack Helper",
    }
)
_CONTAINER = regex(r"(?:docker[-/]|/containers/|libpod-|cri-containerd-)([0-9a-f]{64})")
_MOUNTS = regex(r"/containers/([0-9a-f]{64})/(?:resolv\.conf|hostname|hosts)\b")
_DEEPEST = 64
"""Parents. A longer chain is a loop of reused pids."""
_KILL_GRACE = 2.0
"""Seconds that a process has to disappear after SIGKILL."""


def describe(pid: int) -> Process | None:
    """Return what this user can see of a process, None if there is no such process."""
    if _ON_LINUX:
        return linux_process.described(pid)
    return describe_by_psutil(pid)


def describe_by_psutil(pid: int) -> Process | None:
    """Do the same on every system. On Linux psutil takes longer to load than all that is asked."""
    import psutil

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            return Process(
                pid=pid,
                name=process.name(),
                birth=_birth(process),
                command=tuple(_visible(process.cmdline, [])),
                executable=_visible(process.exe, None) or None,
                user=_visible(process.username, None),
                cwd=_visible(process.cwd, None),
                started=_visible(process.create_time, None),
                status=str(_visible(process.status, "")),
                parents=_parents(process),
                children=_children(process),
            )
    except (psutil.Error, OSError):
        return None


def birth(pid: int) -> int | None:
    """Return only Process.birth of a process, None if there is no such process.

    On Linux without psutil.
    """
    if _ON_LINUX:
        row = linux_process.stat(pid)
        return int(row[19]) if row else None
    process = describe(pid)
    return process.birth if process else None


def start_time(pid: int) -> float | None:
    """Return when a process started, Unix time in seconds. On Linux without psutil."""
    if not _ON_LINUX:
        process = describe(pid)
        return process.started if process else None
    row = linux_process.stat(pid)
    if row is None:
        return None
    with Path("/proc/uptime").open(encoding="ascii") as file:
        uptime = float(file.read().split()[0])
    return time.time() - uptime + int(row[19]) / os.sysconf("SC_CLK_TCK")


def is_within(pid: int, ancestor: int) -> bool:
    """Return whether a process is `ancestor`, its descendant, or in the group that it leads."""
    for _ in range(_DEEPEST):
        if pid == ancestor or _group(pid) == ancestor:
            return True
        if pid <= 1:
            return False
        pid = _parent(pid)
    return False


def container_id_of(pid: int) -> str | None:
    """Return the 64-digit id of the container that a process runs in, None on the host.

    Read from its cgroup (v1 and v2), else from the files that an engine mounts.
    """
    for name, pattern in (("cgroup", _CONTAINER), ("mountinfo", _MOUNTS)):
        with suppress(OSError, UnicodeDecodeError):
            text = Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8")
            if match := pattern.search(text):
                return match[1]
    return None


def is_forwarder(process: Process) -> bool:
    """Return whether this process is part of an engine or of WSL, and holds ports for others.

    Such a process must never be stopped. The executable decides if it is visible: a script with the
    same name is none. docker-proxy must also be a child of dockerd.
    """
    name = process.name
    if process.executable:
        name = _file_name(process.executable.replace("\\", "/"))
    name = name.removesuffix(".exe")
    if name not in _FORWARDERS and not name.startswith("containerd-"):
        return False
    if name != "docker-proxy":
        return True
    return any(_is_dockerd(pid, parent) for pid, parent in process.parents)


def _is_dockerd(pid: int, name: str) -> bool:
    if name != "dockerd":
        return False
    executable = linux_process.executable(pid)
    # not visible: another user's process, so not a lookalike of ours
    return not executable or _file_name(executable) == "dockerd"


def _file_name(executable: str) -> str:
    return executable.rpartition("/")[2].removesuffix(" (deleted)")


def is_ours(process: Process) -> bool:
    """Return whether this user may signal the process. True if it has gone meanwhile."""
    try:
        os.kill(process.pid, 0)
    except PermissionError:
        return False
    except ProcessLookupError:
        return True
    return True


def family_to_stop(process: Process, others: Sequence[int]) -> tuple[Process, ...]:
    """Return the processes that must end together with `process`, parents before children.

    These are `others`, which share its socket, and a reloader above them, which would start them
    again (edge-cases.md#22). `others` are pids without a birth: before a signal, check that each
    still has the socket (edge-cases.md#24).
    """
    family = {process.pid: process}
    for pid in others:
        if pid not in family and (other := describe(pid)):
            family[pid] = other
    if (reloader := reloader_of(process, others)) is not None:
        family.setdefault(reloader.pid, reloader)
    return tuple(sorted(family.values(), key=lambda member: (len(member.parents), member.pid)))


def reloader_of(process: Process, others: Sequence[int] = ()) -> Process | None:
    """Return the reloader that would start `process` or one of `others` again.

    Knows werkzeug, Flask's debug mode and Django. None if there is no reloader.
    """
    for pid in (process.pid, *others):
        child = process if pid == process.pid else describe(pid)
        if child is None or not child.parents:
            continue
        parent = describe(child.parents[0][0])
        if parent is not None and _reloads(parent, child):
            return parent
    return None


def _reloads(parent: Process, child: Process) -> bool:
    """Return whether `parent` is the reloader of `child`.

    The child's environment has a mark that the parent's has not, and both run the same program.
    The mark alone would also fit a shell that sets it by hand. The program alone would also fit a
    server that forks, and a program started by the reloaded server, which inherits the mark.
    """
    if parent.user != child.user or is_self_or_ancestor(parent.pid):
        return False
    if not _is_reloaded(child.pid) or _is_reloaded(parent.pid):
        return False
    return _program(parent) == _program(child) != ()


def _is_reloaded(pid: int) -> bool:
    """Return whether the environment of a process has the mark of a reloader's child."""
    import psutil

    with suppress(psutil.Error, OSError):
        environment = psutil.Process(pid).environ()
        return "true" in (environment.get("WERKZEUG_RUN_MAIN"), environment.get("RUN_MAIN"))
    return False


def _program(process: Process) -> tuple[str, ...]:
    """Return the command line without the interpreter and its -W and -X options.

    Django's reloader spells these options differently for its child.
    """
    words = list(process.command[1:])
    while words and words[0].startswith(("-W", "-X")):
        del words[: 2 if words[0] in ("-W", "-X") else 1]
    return tuple(words)


def is_alive(process: Process) -> bool:
    """Return whether the same process still runs. A zombie does not."""
    return _is_alive(process.pid, process.birth)


def listening_on(pid: int) -> tuple[int, ...]:
    """Return the tcp ports on which a process listens, as far as they are visible."""
    import psutil

    with suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        # psutil 6 renamed it
        read = getattr(process, "net_connections", None) or process.connections
        rows = read(kind="tcp")
        return tuple(sorted({row.laddr.port for row in rows if row.status == psutil.CONN_LISTEN}))
    return ()


def terminate(
    pid: int,
    birth_mark: int,
    *,
    grace: float,
    leads_group: bool = False,
    still_wanted: Callable[[], bool] = lambda: True,
) -> bool:
    """End a process: SIGTERM, `grace` seconds, SIGKILL. Return whether it has gone.

    Before each signal the process must have the same birth, and `still_wanted` must hold (for
    example, that it still has the port). Otherwise nothing is sent.
    `leads_group`: the process supervises its group. SIGTERM goes to the process, which forwards it,
    SIGKILL to the whole group.
    Raises Refused for pid 1, this process and its ancestors (edge-cases.md#25), DartsctlError
    without the permission to signal it.
    """
    if pid <= 1 or is_self_or_ancestor(pid):
        raise Refused(
            f"refused to stop pid {pid}: it is dartsctl itself or one of its parent processes",
            hint=Advice("stop it from another terminal"),
        )
    for number, seconds in ((SIGTERM, grace), (SIGKILL, _KILL_GRACE)):
        if not _is_alive(pid, birth_mark):
            return True
        if not still_wanted():
            return False
        try:
            if leads_group and number == SIGKILL and _group(pid) == pid:
                os.killpg(pid, number)
            else:
                os.kill(pid, number)
            os.kill(pid, SIGCONT)
        except ProcessLookupError:
            return True
        except PermissionError as error:
            raise foreign_process(pid) from error
        if _gone_within(pid, birth_mark, seconds):
            return True
    return False


def is_self_or_ancestor(pid: int) -> bool:
    """Return whether a process is this one or one of its ancestors."""
    ancestor = os.getpid()
    for _ in range(_DEEPEST):
        if ancestor == pid:
            return True
        if ancestor <= 1:
            return False
        ancestor = _parent(ancestor)
    return False


def _gone_within(pid: int, birth_mark: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while _is_alive(pid, birth_mark):
        if time.monotonic() >= until:
            return False
        time.sleep(0.02)
    return True


def _is_alive(pid: int, birth_mark: int) -> bool:
    """Return whether the same process still runs. A zombie does not."""
    if _ON_LINUX:
        row = linux_process.stat(pid)
        return row is not None and row[0] not in ("Z", "X") and int(row[19]) == birth_mark
    process = describe(pid)
    return process is not None and process.birth == birth_mark and process.status != "zombie"


def _parent(pid: int) -> int:
    """Return the pid of the parent, 0 if there is none or no such process."""
    if _ON_LINUX:
        row = linux_process.stat(pid)
        return int(row[1]) if row else 0
    import psutil

    try:
        return psutil.Process(pid).ppid()
    except psutil.Error:
        return 0


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def _birth(process: psutil.Process) -> int:
    if _ON_LINUX and (row := linux_process.stat(process.pid)):
        return int(row[19])
    return int(process.create_time() * 1000)


def _parents(process: psutil.Process) -> tuple[tuple[int, str], ...]:
    import psutil

    with suppress(psutil.Error, OSError):
        return tuple((parent.pid, parent.name()) for parent in process.parents()[:_DEEPEST])
    return ()


def _children(process: psutil.Process) -> tuple[int, ...]:
    import psutil

    with suppress(psutil.Error, OSError):
        return tuple(sorted(child.pid for child in process.children()))
    return ()


def _visible(read: Callable[[], T], otherwise: T) -> T:
    """Return what `read` returns, or `otherwise` if this user may not see it.

    A process that has gone is left to `describe`.
    """
    import psutil

    try:
        return read()
    except (psutil.AccessDenied, psutil.ZombieProcess, OSError):
        return otherwise
