"""What the kernel says about the process that a lock file names.

A record in a shared folder may name any process. Linux answers in /proc, other systems by `lsof`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dartsctl.errors import DartsctlError
from dartsctl.system.users import user_name

_ON_LINUX: bool = sys.platform == "linux"
_LSOF_WITHIN = 5.0  # seconds


def holds_lock(pid: int, lock: Path, status: os.stat_result) -> bool | None:
    """Return whether `pid` holds the exclusive flock on the file `lock`; None where invisible.

    `status` is that of the opened file: Linux compares it, other systems compare the path.
    """
    if pid <= 1:
        return False
    if not _ON_LINUX:
        return _has_open(pid, lock)
    seen = _has_locked_descriptor(pid, status)
    if seen is None and _is_child_of_locker(pid, status):
        return True
    return seen


def parent_of(pid: int) -> int | None:
    """Return the parent's pid; None without such a process, or where unknown."""
    row = _stat(pid)
    return int(row[1]) if row else None


def birth_of(pid: int) -> int | None:
    """Return when `pid` started, in ticks since boot (Process.birth); None as for `parent_of`."""
    row = _stat(pid)
    return int(row[19]) if row else None


def user_of(pid: int) -> str:
    """Return the name of the user of `pid`: a number without a name, empty where unknown."""
    try:
        # pathlib would cost too much: a list asks for every port
        return user_name(os.stat(f"/proc/{pid}").st_uid)  # noqa: PTH116
    except OSError:
        return ""


def _is_child_of_locker(pid: int, file: os.stat_result) -> bool:
    """Return whether the parent of `pid` took the exclusive flock on `file`: everybody sees that.

    False on file systems whose device number differs in the table of locks (btrfs, overlay).
    """
    device = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
    parent = parent_of(pid)
    if parent is None:
        return False
    wanted = ["FLOCK", "ADVISORY", "WRITE", str(parent), device]
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return False
    return any(line.split()[1:6] == wanted for line in lines)


def _has_locked_descriptor(pid: int, file: os.stat_result) -> bool | None:
    folder = f"/proc/{pid}/fd"
    try:
        descriptors = os.listdir(folder)  # noqa: PTH208 - see user_of
        return any(_is_locked_descriptor(pid, descriptor, file) for descriptor in descriptors)
    except PermissionError:
        return None
    except OSError:
        return False


def _is_locked_descriptor(pid: int, descriptor: str, file: os.stat_result) -> bool:
    """Raises PermissionError where this user may not look."""
    try:
        opened = os.stat(f"/proc/{pid}/fd/{descriptor}")  # noqa: PTH116 - see user_of
        if not os.path.samestat(opened, file):
            return False
        info = Path(f"/proc/{pid}/fdinfo/{descriptor}").read_text(
            encoding="ascii", errors="replace"
        )
    except FileNotFoundError:  # closed meanwhile
        return False
    locks = [line.split() for line in info.splitlines() if line.startswith("lock:")]
    return any(words[2:5] == ["FLOCK", "ADVISORY", "WRITE"] for words in locks)


def _has_open(pid: int, lock: Path) -> bool | None:
    from dartsctl import spawn

    try:
        done = spawn.run(["lsof", "-t", "--", str(lock)], deadline=_LSOF_WITHIN)
    except DartsctlError:
        return None
    return str(pid) in done.stdout.split()


def _stat(pid: int) -> list[str] | None:
    """Return /proc/PID/stat after the name: state, parent, group ... (proc(5))."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - see user_of
            return file.read().rpartition(b")")[2].decode("ascii").split()
    except OSError:
        return None
