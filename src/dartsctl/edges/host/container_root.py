"""What surely does not exist in a container on this host, by the root folder of its first process.

To ask the engine takes a process in the container, some tenths of a second. Linux only; root, or
the user of the container, may look.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from dartsctl.edges.host import processes

USUAL_SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What the engine sets where the image sets nothing."""
_MOST_PARTS = 64
"""Folders and links of one path. A longer one is a loop of links."""


class ContainerRoot:
    """The root folder of a container, of which `pid` is the first process.

    `search_path`: its PATH, empty where the image sets none.
    """

    def __init__(self, container: str, pid: int, search_path: str = "") -> None:
        """`container`: its id."""
        self._container = container
        self._pid = pid
        self._search_path = search_path or USUAL_SEARCH_PATH

    def lacks_program(self, name: str) -> bool:
        """Return whether a command of this name surely cannot be run: no folder of PATH has it."""
        return self._lacks([f"{folder}/{name}" for folder in self._search_path.split(":")])

    def lacks(self, path: str) -> bool:
        """Return whether a path surely does not exist. A link counts as a path.

        False where that is not sure: the process has ended, it is not ours to see, or a link leads
        the kernel out of the container.
        """
        return self._lacks([path])

    def _lacks(self, paths: Sequence[str]) -> bool:
        root = f"/proc/{self._pid}/root"
        if not self._pid or not all(lacks_below(root, path) for path in paths):
            return False
        try:  # it was the container's all the time, as its process still lives
            os.lstat(f"{root}/proc")
        except OSError:
            return False
        return processes.container_id_of(self._pid) == self._container


def lacks_below(root: str, path: str) -> bool:
    """Return whether a path surely does not exist below `root`: a part of it is not there."""
    folder, parts = root, path.split("/")
    if parts[0]:  # a relative path
        return False
    for _ in range(_MOST_PARTS):
        here = f"{folder}/{parts.pop(0)}"
        try:
            is_link = stat.S_ISLNK(os.lstat(here).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return False
        if not parts:
            return False
        if is_link:
            parts = [*Path(here).readlink().parts, *parts]
        else:
            folder = here
        if parts[0] in ("/", ".."):  # the kernel would leave the container, for our own root
            return False
    return False
