"""The host's processes: the only file that imports psutil for them. Nothing here raises because a process has gone or is not ours to look at."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from dartsctl.errors import DartsctlError, Refused
from dartsctl.ports.process import Process

if TYPE_CHECKING:
    import psutil

T = TypeVar("T")

_ON_LINUX: bool = sys.platform == "linux"  # elsewhere psutil answers, which takes longer to load

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
        "conmon",
        "gvproxy",
        "limactl",
        "OrbStack",
        "OrbStack Helper",
    }
)
_CONTAINER = re.compile(r"(?:docker[-/]|/containers/|libpod-|cri-containerd-)([0-9a-f]{64})")
_MOUNTS = re.compile(r"/containers/([0-9a-f]{64})/(?:resolv\.conf|hostname|hosts)\b")
_DEEPEST = 64  # parents: more are a loop of reused pids


def describe(pid: int) -> Process | None:
    """What can be seen of `pid`; None when there is no such process (any more)."""
    import psutil

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            return Process(
                pid=pid,
                name=process.name(),
                birth=_birth(process),
                command=tuple(_seen(process.cmdline, [])),
                executable=_executable(process),
                user=_seen(process.username, None),
                cwd=_seen(process.cwd, None),
                started=_seen(process.create_time, None),
                status=str(_seen(process.status, "")),
                parents=_parents(process),
                children=_children(process),
            )
    except (psutil.Error, OSError):
        return None


def birth(pid: int) -> int | None:
    """Process.birth of `pid` without the rest, and on Linux without psutil; None when there is no such process."""
    if _ON_LINUX:
        row = _stat(pid)
        return int(row[19]) if row else None
    process = describe(pid)
    return process.birth if process else None


def start_time(pid: int) -> float | None:
    """When `pid` started, Unix time in seconds; on Linux without psutil."""
    if not _ON_LINUX:
        process = describe(pid)
        return process.started if process else None
    row = _stat(pid)
    if row is None:
        return None
    with Path("/proc/uptime").open(encoding="ascii") as file:
        uptime = float(file.read().split()[0])
    return time.time() - uptime + int(row[19]) / os.sysconf("SC_CLK_TCK")


def is_within(pid: int, ancestor: int) -> bool:
    """Whether `pid` is `ancestor`, or of its tree or of the process group that it leads."""
    for _ in range(_DEEPEST):
        if pid == ancestor or _group(pid) == ancestor:
            return True
        if pid <= 1:
            return False
        pid = _parent(pid)
    return False


def container_id_of(pid: int) -> str | None:
    """The 64-digit id of the container that `pid` runs in, by its cgroup (v1 and v2), else by the files that an engine mounts; None on the host."""
    for name, pattern in (("cgroup", _CONTAINER), ("mountinfo", _MOUNTS)):
        with suppress(OSError, UnicodeDecodeError):
            if found := pattern.search(Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8")):
                return found[1]
    return None


def is_forwarder(process: Process) -> bool:
    """Whether this is an engine's or WSL's own process, which holds ports for others and is never to be stopped.

    By the executable, where it can be seen: a script of that name is not one. docker-proxy is dockerd's child besides.
    """
    seen = (
        process.executable.replace("\\", "/").rpartition("/")[2].removesuffix(" (deleted)")
        if process.executable
        else process.name
    )
    name = seen.removesuffix(".exe")
    if name not in _FORWARDERS and not name.startswith("containerd-"):
        return False
    return name != "docker-proxy" or any(
        _is_dockerd(pid, parent) for pid, parent in process.parents
    )


def _is_dockerd(pid: int, name: str) -> bool:
    if name != "dockerd":
        return False
    import psutil

    with suppress(psutil.Error, OSError):
        return Path(psutil.Process(pid).exe() or name).name.removesuffix(" (deleted)") == "dockerd"
    return True  # not visible: another user's, and then no lookalike of ours


def is_ours(process: Process) -> bool:
    """Whether this user may signal it; what has gone meanwhile is nobody else's."""
    try:
        os.kill(process.pid, 0)
    except PermissionError:
        return False
    except ProcessLookupError:
        return True
    return True


def family_to_stop(process: Process, others: Sequence[int]) -> tuple[Process, ...]:
    """The processes that must end together with `process`, parents before their children: those that share its socket (`others`), and a
    reloader above them, which would start them again (edge-cases.md#22).

    `others` come without their birth: who signals them looks first whether each still has the socket (edge-cases.md#24).
    """
    found = {process.pid: process}
    for pid in others:
        if pid not in found and (other := describe(pid)):
            found[pid] = other
    if (reloader := reloader_of(process, others)) is not None:
        found.setdefault(reloader.pid, reloader)
    return tuple(sorted(found.values(), key=lambda one: (len(one.parents), one.pid)))


def reloader_of(process: Process, others: Sequence[int] = ()) -> Process | None:
    """The reloader (werkzeug, Flask's debug mode, Django) that would start `process` or one of `others` again; None where there is none.

    Never by guess: its child carries a mark in its environment which it has not itself, and both run the same program. Without the second
    a shell that set the mark by hand would be taken for one; without the first a server that has forked, and a program that the reloaded
    server has started, which inherits the mark.
    """
    for pid in (process.pid, *others):
        child = process if pid == process.pid else describe(pid)
        parent = describe(child.parents[0][0]) if child and child.parents else None
        if (
            child is None
            or parent is None
            or parent.user != child.user
            or is_within_reach_of_ourselves(parent.pid)
        ):
            continue
        if (
            _is_reloaded(child.pid)
            and not _is_reloaded(parent.pid)
            and _program(parent) == _program(child) != ()
        ):
            return parent
    return None


def _is_reloaded(pid: int) -> bool:
    import psutil

    with suppress(psutil.Error, OSError):
        environment = psutil.Process(pid).environ()
        return "true" in (environment.get("WERKZEUG_RUN_MAIN"), environment.get("RUN_MAIN"))
    return False


def _program(process: Process) -> tuple[str, ...]:
    """The command line without the interpreter and its -W and -X options, which Django's reloader spells anew for its child."""
    words = list(process.command[1:])
    while words and words[0].startswith(("-W", "-X")):
        del words[: 2 if words[0] in ("-W", "-X") else 1]
    return tuple(words)


def is_alive(process: Process) -> bool:
    """Whether this very process still runs; a zombie does not."""
    return _is_alive(process.pid, process.birth)


def listening_on(pid: int) -> tuple[int, ...]:
    """The tcp ports on which `pid` listens, as far as they are visible."""
    import psutil

    with suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        read = (
            getattr(process, "net_connections", None) or process.connections
        )  # psutil 6 renamed it
        return tuple(
            sorted({row.laddr.port for row in read(kind="tcp") if row.status == psutil.CONN_LISTEN})
        )
    return ()


def terminate(
    pid: int,
    birth_mark: int,
    *,
    grace: float,
    leads_group: bool = False,
    still_wanted: Callable[[], bool] = lambda: True,
) -> bool:
    """End the process that is `pid` and has this birth: SIGTERM, `grace` seconds, SIGKILL; True once it is gone.

    `leads_group`: it supervises a group, which gets the SIGKILL whole (the SIGTERM it passes on itself). Before each signal: the same birth, and
    `still_wanted` (that it still holds the port, say); where that fails nothing is done. Raises Refused for pid 1, ourselves and our ancestors
    (edge-cases.md#25), DartsctlError without the right to signal it.
    """
    if pid <= 1 or is_within_reach_of_ourselves(pid):
        raise Refused(
            f"pid {pid} is dartsctl itself or what it runs under, and is not stopped",
            hint="do it from another terminal",
        )
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not _is_alive(pid, birth_mark):
            return True
        if not still_wanted():
            return False
        try:
            if leads_group and number == signal.SIGKILL and _group(pid) == pid:
                os.killpg(pid, number)
            else:
                os.kill(pid, number)
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            return True
        except PermissionError as error:
            raise DartsctlError(
                f"pid {pid} belongs to another user and cannot be stopped", hint=f"sudo kill {pid}"
            ) from error
        if _gone_within(pid, birth_mark, grace if number == signal.SIGTERM else 2.0):
            return True
    return False


def is_within_reach_of_ourselves(pid: int) -> bool:
    """Whether `pid` is this process or one of its ancestors."""
    mine = os.getpid()
    for _ in range(_DEEPEST):
        if mine == pid:
            return True
        if mine <= 1:
            return False
        mine = _parent(mine)
    return False


def _gone_within(pid: int, birth_mark: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while _is_alive(pid, birth_mark):
        if time.monotonic() >= until:
            return False
        time.sleep(0.02)
    return True


def _is_alive(pid: int, birth_mark: int) -> bool:
    """Whether the very process still runs; a zombie does not."""
    if _ON_LINUX:
        row = _stat(pid)
        return row is not None and row[0] not in ("Z", "X") and int(row[19]) == birth_mark
    process = describe(pid)
    return process is not None and process.birth == birth_mark and process.status != "zombie"


def _stat(pid: int) -> list[str] | None:
    """/proc/PID/stat after the name: state, parent, group ... [19] the start, in ticks since boot (proc(5), field 22)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - asked for often
            return file.read().rpartition(b")")[2].decode("ascii").split()
    except OSError:
        return None


def _parent(pid: int) -> int:
    """0 when there is none, or no such process."""
    if _ON_LINUX:
        row = _stat(pid)
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
    row = _stat(process.pid) if _ON_LINUX else None
    return int(row[19]) if row else int(process.create_time() * 1000)


def _executable(process: psutil.Process) -> str | None:
    return _seen(process.exe, None) or None


def _parents(process: psutil.Process) -> tuple[tuple[int, str], ...]:
    import psutil

    with suppress(psutil.Error, OSError):
        return tuple((parent.pid, parent.name()) for parent in process.parents()[:_DEEPEST])
    return ()


def _children(process: psutil.Process) -> tuple[int, ...]:
    """Direct children. The kernel has the list (CONFIG_PROC_CHILDREN); psutil would read every process of the machine for it."""
    import psutil

    with suppress(OSError, ValueError):
        tasks = Path(f"/proc/{process.pid}/task").iterdir()
        return tuple(
            sorted(
                {
                    int(pid)
                    for task in tasks
                    for pid in (task / "children").read_text(encoding="ascii").split()
                }
            )
        )
    with suppress(psutil.Error, OSError):
        return tuple(sorted(child.pid for child in process.children()))
    return ()


def _seen(read: Callable[[], T], otherwise: T) -> T:
    """What `read` sees; `otherwise` where this user may not. A vanished process goes through to `describe`."""
    import psutil

    try:
        return read()
    except (psutil.AccessDenied, psutil.ZombieProcess, OSError):
        return otherwise
