"""The end of a container's first process, seen by the kernel's pidfd (Linux).

The engine reports an end only after it has cleaned up, some 100 ms later.
"""

from __future__ import annotations

import os
import select
from pathlib import Path

_WATCHED = select.EPOLLIN if hasattr(select, "EPOLLIN") else 0


class CannotWatch(OSError):
    """The process is not in sight, is another one, or this system has no pidfd."""


class FirstProcesses:
    """First processes of containers. One `wait` for all of them, `wake` from any thread."""

    def __init__(self, folder: Path = Path("/proc")) -> None:
        """Raises CannotWatch on a system without pidfd or epoll."""
        if not hasattr(os, "pidfd_open") or not _WATCHED:
            raise CannotWatch("this system has no pidfd")
        self._folder = folder
        self._names: dict[int, str] = {}
        self._descriptors: dict[str, int] = {}
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll.register(self._wake, _WATCHED)

    def add(self, container: str, pid: int) -> None:
        """Watch the process `pid`, if it belongs to the container with this id.

        A pid may have become another process, or be that of another pid namespace.
        Raises CannotWatch.
        """
        self.remove(container)
        try:
            descriptor = os.pidfd_open(pid)
        except (OSError, OverflowError, ValueError) as error:
            raise CannotWatch(f"process {pid} of {container[:12]} cannot be watched") from error
        try:
            self._check(container, pid)
            self._epoll.register(descriptor, _WATCHED)
        except OSError:
            os.close(descriptor)
            raise
        self._names[descriptor] = container
        self._descriptors[container] = descriptor

    def _check(self, container: str, pid: int) -> None:
        """Raise CannotWatch unless the process is in a control group with the container's id."""
        try:
            groups = (self._folder / str(pid) / "cgroup").read_text(errors="replace")
        except OSError as error:
            raise CannotWatch(f"process {pid} is not in sight") from error
        if container not in groups:
            raise CannotWatch(f"process {pid} is none of container {container[:12]}")

    def remove(self, container: str) -> None:
        """Watch a container's process no more."""
        descriptor = self._descriptors.pop(container, None)
        if descriptor is None:
            return
        del self._names[descriptor]
        self._epoll.unregister(descriptor)
        os.close(descriptor)

    def wait(self, timeout: float) -> tuple[str, ...]:
        """Return the containers whose first process has ended, and watch them no more."""
        ended: list[str] = []
        for descriptor, _ in self._epoll.poll(timeout):
            if descriptor == self._wake:
                os.eventfd_read(self._wake)
            elif container := self._names.get(descriptor):
                ended.append(container)
                self.remove(container)
        return tuple(ended)

    def wake(self) -> None:
        """Let `wait` return."""
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """End it."""
        for container in list(self._descriptors):
            self.remove(container)
        self._epoll.close()
        os.close(self._wake)
