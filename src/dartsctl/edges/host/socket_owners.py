"""Which processes have a socket open, by the tables of open files in /proc."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping


def owners_of(inodes: Collection[int]) -> dict[int, tuple[int, ...]]:
    """Return the pids of the processes that have each socket open, lowest first.

    Sockets without a visible owner are absent. This walks all of /proc: a reloader's pair, forked
    workers and orphaned children share one socket, and each of them keeps the port
    (edge-cases.md#22, edge-cases.md#26).
    """
    names = {f"socket:[{inode}]": inode for inode in inodes}
    if not names:
        return {}
    owners: dict[int, list[int]] = {}
    for pid in _pids():
        for inode in open_in(pid, names):
            owners.setdefault(inode, []).append(pid)
    return {inode: tuple(pids) for inode, pids in owners.items()}


def _pids() -> list[int]:
    # pathlib takes longer than the system call
    return sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())  # noqa: PTH208


def open_in(pid: int, names: Mapping[str, int]) -> set[int]:
    """Return which of the sockets a process has open. `names`: the targets of their links."""
    sockets: set[int] = set()
    try:
        folder = os.open(f"/proc/{pid}/fd", os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # another user's, or gone
        return sockets
    try:
        for descriptor in os.listdir(folder):  # noqa: PTH208 - it is open
            try:
                target = os.readlink(descriptor, dir_fd=folder)
            except OSError:  # closed meanwhile
                continue
            if target in names:
                sockets.add(names[target])
                if len(sockets) == len(names):
                    break  # a server has its listeners first, then thousands of connections
    except OSError:  # the process ended meanwhile
        pass
    finally:
        os.close(folder)
    return sockets
