"""What /proc shows of one process (Linux), as psutil words it, without importing psutil.

That import takes 30 ms, and psutil then ten times as long for a process as this. On other systems
it is used (processes.py), and the tests compare both.
"""

from __future__ import annotations

import os

from dartsctl.ports.process import Process
from dartsctl.system.users import user_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_DEEPEST = 64
"""Parents. A longer chain is a loop of reused pids."""
_STATUSES = {
    "R": "running",
    "S": "sleeping",
    "D": "disk-sleep",
    "T": "stopped",
    "t": "tracing-stop",
    "Z": "zombie",
    "X": "dead",
    "x": "dead",
    "K": "wake-kill",
    "W": "waking",
    "I": "idle",
    "P": "parked",
}
_SHORT_NAME = 15
"""Characters to which the kernel cuts a name."""
_DELETED = " (deleted)"


def described(pid: int) -> Process | None:
    """Return what this user can see of a process, None if there is no such process."""
    try:
        name, row = _stat(pid)
        command = _command(pid)
        return Process(
            pid=pid,
            name=_whole_name(pid, name),
            birth=int(row[19]),
            command=command,
            executable=_executable(pid, command) or None,
            user=_user(pid),
            cwd=_target(pid, "cwd"),
            started=_boot_time() + int(row[19]) / os.sysconf("SC_CLK_TCK"),
            status=_STATUSES.get(row[0], "?"),
            parents=_parents(int(row[1]), int(row[19])),
            children=_children(pid),
        )
    except OSError:
        return None


def stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat after the name: state, parent, group ...

    Field 19 is the start in ticks since boot (field 22 in proc(5)). None if there is no such
    process, or it is hidden.
    """
    try:
        return _stat(pid)[1]
    except OSError:
        return None


def executable(pid: int) -> str | None:
    """Return the path of a process' program. None if it is not shown, empty if it has none."""
    try:
        return _executable(pid, _command(pid))
    except OSError:
        return None


def _stat(pid: int) -> tuple[str, list[str]]:
    with open(f"/proc/{pid}/stat", "rb") as file:
        head, _, rest = file.read().rpartition(b")")
    return os.fsdecode(head.partition(b"(")[2]), rest.decode("ascii").split()


def _command(pid: int) -> tuple[str, ...]:
    """Return the command line, empty if it is not shown. Raises OSError if the process has gone.

    A program that has written its own title over it may have left no NUL between the words.
    """
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            text = os.fsdecode(file.read())
    except OSError:
        _raise_if_gone(pid)
        return ()
    if not text:
        return ()
    separator = " "
    if text.endswith("\0"):
        separator = "\0"
    words = text.removesuffix(separator).split(separator)
    if len(words) == 1:
        words = words[0].split(" ")
    return tuple(words)


def _whole_name(pid: int, name: str) -> str:
    """Return the name, as long as the command line has it: the kernel cuts it."""
    if len(name) < _SHORT_NAME:
        return name
    words = _command(pid)
    longer = "".join(words[:1]).rpartition("/")[2]
    if longer.startswith(name):
        return longer
    return name


def _executable(pid: int, command: Sequence[str]) -> str | None:
    """Return the program; one that is not shown may be named by the command line."""
    path = _target(pid, "exe")
    if not path and command and os.path.isabs(command[0]) and _is_program(command[0]):
        return command[0]
    return path


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _target(pid: int, name: str) -> str | None:
    """Return where a link of a process leads: None if it is not shown, empty if nowhere.

    Raises OSError if the process has gone.
    """
    try:
        target = os.readlink(f"/proc/{pid}/{name}")
    except (FileNotFoundError, ProcessLookupError):
        if _stat(pid)[1][0] == "Z":
            return None
        return ""
    except OSError:
        return None
    if target.endswith(_DELETED) and not os.path.exists(target):
        return target.removesuffix(_DELETED)
    return target


def _user(pid: int) -> str | None:
    """Return the name of the real user. Raises OSError if the process has gone."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            uids = file.read().partition(b"\nUid:")[2].split(maxsplit=1)
    except OSError:
        _raise_if_gone(pid)
        return None
    return user_name(int(uids[0]))


def _boot_time() -> float:
    """Return when this machine was started, Unix time in whole seconds."""
    with open("/proc/stat", "rb") as file:
        return float(file.read().partition(b"\nbtime ")[2].split(maxsplit=1)[0])


def _parents(parent: int, birth: int) -> tuple[tuple[int, str], ...]:
    """Return pid and name of each ancestor; nothing if one of them is hidden.

    A parent that is younger is another process, with the number of one that has gone.
    """
    parents: list[tuple[int, str]] = []
    while len(parents) < _DEEPEST:
        try:
            name, row = _stat(parent)
            if int(row[19]) > birth:
                break
            parents.append((parent, _whole_name(parent, name)))
        except (FileNotFoundError, ProcessLookupError):
            break
        except OSError:
            return ()
        parent, birth = int(row[1]), int(row[19])
    return tuple(parents)


def _children(pid: int) -> tuple[int, ...]:
    """Return the pids of the direct children, lowest first.

    The kernel has the list, with CONFIG_PROC_CHILDREN. Else every process is asked for its parent.
    """
    pids: set[int] = set()
    folder = f"/proc/{pid}/task"
    try:
        for thread in os.listdir(folder):
            with open(f"{folder}/{thread}/children", "rb") as file:
                pids.update(map(int, file.read().split()))
    except OSError:
        return _processes_below(pid)
    return tuple(sorted(pids))


def _processes_below(pid: int) -> tuple[int, ...]:
    row = stat(pid)
    if row is None:
        return ()
    children: list[int] = []
    for name in os.listdir("/proc"):
        if not name.isdecimal():
            continue
        child = stat(int(name))
        if child and int(child[1]) == pid and int(child[19]) >= int(row[19]):
            children.append(int(name))
    return tuple(sorted(children))


def _raise_if_gone(pid: int) -> None:
    os.stat(f"/proc/{pid}")
