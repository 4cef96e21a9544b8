"""Which sockets of this host the engine holds for its containers.

A walk of all open files of the host, which finds every owner, takes a hundred times as long on a
busy host.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from dartsctl.edges.host.socket_owners import open_in

_FORWARDER = "docker-proxy"


def held(engine: int, inodes: Collection[int]) -> frozenset[int]:
    """Return those of the sockets that a docker-proxy of the engine has open.

    `engine` is dockerd's pid. What this user may not see is left out.
    """
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    seen: set[int] = set()
    for pid in _children(engine):
        if len(seen) == len(wanted):
            break
        if _program(pid) == _FORWARDER:
            seen |= open_in(pid, wanted)
    return frozenset(seen)


def _children(pid: int) -> Iterator[int]:
    """Yield the direct children; none where the kernel keeps no list (CONFIG_PROC_CHILDREN)."""
    try:
        with os.scandir(f"/proc/{pid}/task") as tasks:
            for task in tasks:
                with open(f"{task.path}/children", encoding="ascii") as file:  # noqa: PTH123
                    yield from map(int, file.read().split())
    except OSError:  # a thread that has just ended, too: what is missing is looked for elsewhere
        return


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/exe").readlink().name.removesuffix(" (deleted)")
    except OSError:
        return ""
