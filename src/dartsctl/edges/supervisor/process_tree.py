"""The processes below this one and in its group, without psutil: for the supervisor, which has to start quickly and end everything."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator


def pids() -> set[int]:
    """Our descendants and whoever else is in our group, ourselves left out."""
    me, group = os.getpid(), os.getpgrp()
    rows = list(_processes())
    tree = {me}
    grown = True
    while grown:
        found = {
            pid
            for pid, parent, its_group in rows
            if (parent in tree or its_group == group) and pid not in tree
        }
        tree |= found
        grown = bool(found)
    return tree - {me}


def send(pid: int, number: signal.Signals) -> None:
    """The signal to one process, if it is still there and still ours."""
    try:
        os.kill(pid, number)
    except OSError:  # gone, or by its own doing another user's
        return


def _processes() -> Iterator[tuple[int, int, int]]:
    """(pid, parent, group) of every process that has not ended."""
    if sys.platform != "linux":
        with os.popen("ps -A -o pid=,ppid=,pgid=,state=") as table:  # noqa: S605, S607 - fixed words; /bin/ps on macOS
            for line in table:
                pid, parent, group, state = line.split()[:4]
                if not state.startswith("Z"):
                    yield int(pid), int(parent), int(group)
        return
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib would cost the supervisor as much as all else that it imports
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - the same
                    state, parent_, group_ = file.read().rpartition(b")")[2].split()[:3]
            except OSError:  # gone
                continue
            if state not in (b"Z", b"X"):
                yield int(name), int(parent_), int(group_)
