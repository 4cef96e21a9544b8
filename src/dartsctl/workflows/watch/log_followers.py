"""How each place of nginx's errors is followed: the engine's log, a file here, one in there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from dartsctl.diagnosis.container_file import first_file
from dartsctl.diagnosis.followed_log import EngineLogReader, LineReader, StampedLine
from dartsctl.records import field, record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dartsctl.edges.engine.protocol import EngineControl, Stream
    from dartsctl.edges.host.followed_file import FollowedFile

_INTERVAL = 15.0
"""Seconds between two looks into a file in a container. Each starts two processes there."""
_MOST_AT_ONCE = 1 << 20
"""Bytes that are read of such a file at once."""


class Follower(Protocol):
    """One log that is followed."""

    received: int
    """The bytes that were read so far."""

    def lines(self, patience: float) -> Sequence[StampedLine] | None:
        """Return the next lines, after at most `patience` seconds; None if it has ended.

        Raises DockerUnavailable.
        """

    def close(self) -> None:
        """End it."""


@record(frozen=False)
class EngineFollower:
    """The container's own output, as the engine streams it."""

    stream: Stream
    received: int = 0
    _reader: EngineLogReader = field(default_factory=EngineLogReader)

    def lines(self, patience: float) -> Sequence[StampedLine] | None:
        """Return the next lines, after at most `patience` seconds; None if it has ended."""
        data = self.stream.read(patience)
        if data is None:
            return None
        self.received += len(data)
        return self._reader.feed(data)

    def close(self) -> None:
        """End the stream."""
        self.stream.close()


@record(frozen=False)
class HostFollower:
    """A file that this host sees too."""

    file: FollowedFile
    received: int = 0
    _reader: LineReader = field(default_factory=LineReader)

    def lines(self, patience: float) -> Sequence[StampedLine] | None:
        """Return the lines that have come, without waiting."""
        del patience
        data = self.file.read()
        self.received += len(data)
        return [StampedLine(line, "") for line in self._reader.feed(data)]

    def close(self) -> None:
        """Close the file."""
        self.file.close()


@record(frozen=False)
class ContainerFollower:
    """A file that only its container sees: read on an interval, with `stat` and `tail` in there.

    Where they do not run, the engine sends the whole file, as far as its limit for an answer goes.
    """

    identity: str
    path: str
    control: EngineControl
    monotonic: Callable[[], float]
    received: int = 0
    _inode: str = ""
    _place: int = 0
    _is_known: bool = False
    _due: float = 0.0
    _reader: LineReader = field(default_factory=LineReader)

    def lines(self, patience: float) -> Sequence[StampedLine] | None:
        """Return the lines that have come if they are due, without waiting.

        None only for a file that could never be read: its container may be down for a while.
        """
        del patience
        now = self.monotonic()
        if now < self._due:
            return ()
        self._due = now + _INTERVAL
        state = self._stat(self.path)
        if state is None:
            return () if self._is_known else None
        inode, size = state
        if not self._is_known:  # what was written before the watch began is doctor's
            self._is_known, self._inode, self._place = True, inode, size
            return ()
        return [StampedLine(line, "") for line in self._new_lines(inode, size)]

    def close(self) -> None:
        """Nothing is open."""

    def _new_lines(self, inode: str, size: int) -> Iterator[str]:
        if inode != self._inode or size < self._place:
            rotated = self._stat(f"{self.path}.1")
            if rotated and rotated[0] == self._inode:
                yield from self._read(f"{self.path}.1", rotated[1])
            self._inode, self._place = inode, 0
        yield from self._read(self.path, size)

    def _read(self, path: str, size: int) -> list[str]:
        """Return the lines up to `size`, at most the last MiB."""
        if size <= self._place:
            return []
        if size - self._place > _MOST_AT_ONCE:
            self._place = size - _MOST_AT_ONCE
        begin, self._place = self._place, size
        data = self._bytes(path, begin, size)
        self.received += len(data)
        return self._reader.feed(data)

    def _bytes(self, path: str, begin: int, size: int) -> bytes:
        result = self.control.execute(self.identity, ["tail", "-c", f"+{begin + 1}", path])
        if result is not None and result[0] == 0:
            return result[1].encode(errors="replace")[: size - begin]
        content = first_file(self.control.archive(self.identity, path))
        return content[begin:size]

    def _stat(self, path: str) -> tuple[str, int] | None:
        """Return inode and size. An image may have no `stat`: the inode is empty then."""
        result = self.control.execute(self.identity, ["stat", "-c", "%i %s", path])
        if result is not None and result[0] == 0:
            inode, _, size = result[1].strip().partition(" ")
            if size.isdecimal():
                return inode, int(size)
        file = self.control.file(self.identity, path)
        if file is None or not file.is_regular:
            return None
        return "", file.size
