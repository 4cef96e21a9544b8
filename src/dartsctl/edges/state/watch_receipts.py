"""Which message each channel has taken last, written by the process that has sent it.

That process goes on when its watch is killed. It inherits the open file with its lock (flock), so
the next watch sees that a message is on its way, and afterwards that it was taken: it is not sent
twice. Nothing here stops a message: without a file it is sent all the same.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import contextmanager, suppress

from dartsctl.edges.state.watch_folder import open_watch
from dartsctl.errors import DartsctlError
from dartsctl.records import record
from dartsctl.system.file_lock import try_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LARGEST = 64
"""Bytes of a message's id."""


@record
class Receipt:
    """The open file of one channel."""

    descriptor: int | None = None
    """None: there is no file."""
    is_busy: bool = False
    """Whether a process still sends to the channel."""
    message: str = ""
    """The id of the message that it has taken last."""


class Receipts:
    """The files of one project's watch."""

    def __init__(self, state: Path, project: str) -> None:
        self._state = state
        self._project = project

    @contextmanager
    def of(self, channel: str) -> Iterator[Receipt]:
        """Lock the file of a channel for sending to it. Never raises."""
        descriptor = self._open(channel)
        if descriptor is None:
            yield Receipt()
            return
        try:
            yield _locked(descriptor)
        finally:
            os.close(descriptor)

    def _open(self, channel: str) -> int | None:
        name = f"sending-{hashlib.sha256(channel.encode(errors='replace')).hexdigest()[:16]}"
        with (
            suppress(OSError, DartsctlError),
            open_watch(self._state, self._project, make=True) as folder,
        ):
            return folder.open_or_create(name)
        return None


def _locked(descriptor: int) -> Receipt:
    try:
        if not try_lock(descriptor, fcntl.LOCK_EX):
            return Receipt(is_busy=True)
        message = os.pread(descriptor, _LARGEST, 0).decode(errors="replace")
    except OSError:
        return Receipt()
    return Receipt(descriptor, message=message)
