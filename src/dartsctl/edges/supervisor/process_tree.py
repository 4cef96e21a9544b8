"""The descendants of this process and the members of its group.

For the supervisor: without psutil, which takes long to import.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Iterator

_PS = "ps -A -o pid=,ppid=,pgid=,state="


def pids() -> set[int]:
    """Return our descendants and the members of our process group, without this process."""
    me, group = os.getpid(), os.getpgrp()
    rows = list(_processes())
    tree = {me}
    size = 0
    while len(tree) > size:
        size = len(tree)
        for pid, parent, its_group in rows:
            if parent in tree or its_group == group:
                tree.add(pid)
    return tree - {me}


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process, if it still exists and is still ours."""
    try:
        os.kill(pid, number)
    except OSError:  # gone, or another user's because it changed its user
        return


def _processes() -> Iterator[tuple[int, int, int]]:
    """Yield (pid, parent, group) of every process that has not ended."""
    if sys.platform != "linux":
        with os.popen(_PS) as table:  # noqa: S605 - a constant; /bin/ps on macOS
            for line in table:
                pid, parent, group, state = line.split()[:4]
                if not state.startswith("Z"):
                    yield int(pid), int(parent), int(group)
        return
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib takes long to import
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - see above
                    state, parent_, group_ = file.read().rpartition(b")")[2].split()[:3]
            except OSError:  # gone
                continue
            if state not in (b"Z", b"X"):
                yield int(name), int(parent_), int(group_)
