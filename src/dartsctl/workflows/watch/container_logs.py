"""The error logs of one container of nginx, followed over its restarts and their rotation."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from dartsctl.diagnosis.followed_log import since_after
from dartsctl.diagnosis.nginx.log import parse_moment
from dartsctl.edges.host.followed_file import FollowedFile
from dartsctl.errors import DockerUnavailable
from dartsctl.workflows.watch.log_followers import (
    ContainerFollower,
    EngineFollower,
    Follower,
    HostFollower,
)
from dartsctl.workflows.watch.log_places import find_places, host_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from dartsctl.diagnosis.facts import ContainerFacts, Facts
    from dartsctl.diagnosis.followed_log import StampedLine
    from dartsctl.edges.engine.protocol import EngineControl
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.log_places import LogPlaces

_ENGINE = ""
"""Stands for the engine's own log among the places."""
_RETRY, _LONGEST_RETRY = 1.0, 15.0
"""Seconds until a log that has ended is opened again."""
_FULL, _BUSY = 16 << 10, 100
"""Bytes of a read, and such reads in a row, that show that there is more than is read."""
_BEHIND = 10.0
"""Seconds that such a reader may be behind."""
_REMEMBERED = 2000
"""Lines of the other places that are known again."""


class ContainerLogs:
    """Follows whatever the configuration names, and always the container's stderr.

    `since`: from when on its log counts, Unix time of the engine. `say`: takes what cannot be
    followed, one sentence each.
    """

    def __init__(self, name: str, since: float, *, deps: Deps, say: Callable[[str], None]) -> None:
        self._name = name
        self._since = f"{since:.6f}"
        self._deps = deps
        self._say = say
        self._key: tuple[object, ...] = ()
        self._followers: dict[str, Follower] = {}
        self._retry = _RETRY
        self._due = 0.0
        self._is_complete = False
        self._with_stdout = False
        self._skew = 0.0
        self._busy = 0
        self._seen: dict[str, str] = {}
        """Line -> the place where it was seen first: nginx may write it to several."""

    @property
    def is_followed(self) -> bool:
        """Whether anything is followed at the moment."""
        return bool(self._followers)

    @property
    def waits(self) -> bool:
        """Whether `lines` waits for the next one: the engine sends them."""
        return _ENGINE in self._followers

    def follow(self, container: ContainerFacts, facts: Facts, control: EngineControl) -> None:
        """Open what is not followed yet, if it is time. Raises DockerUnavailable."""
        self._skew = facts.engine.skew
        config = facts.proxy.config if facts.proxy else None
        now = self._deps.monotonic()
        key = (container.started, config and config.error_logs)
        if self._key != key:
            self._key, self._is_complete, self._retry, self._due = key, False, _RETRY, now
        if now < self._due or (self._is_complete and self.waits):
            return
        self._due, self._retry = now + self._retry, min(2 * self._retry, _LONGEST_RETRY)
        places = find_places(container.id, config, control)
        self._is_complete = not places.missing
        self._follow_files(container.id, places, control, is_here=facts.engine.is_here)
        self._follow_engine(container.id, places, control)

    def _follow_engine(self, identity: str, places: LogPlaces, control: EngineControl) -> None:
        if self.waits and places.stdout == self._with_stdout:
            return
        self._drop(_ENGINE)
        self._with_stdout = places.stdout
        stream = control.follow_log(identity, since=self._since, stdout=places.stdout)
        if stream is not None:
            self._followers[_ENGINE] = EngineFollower(stream)
        elif control.inspect(identity) is not None:
            if self._is_complete:
                self._due = float("inf")
            self._say(
                f"the engine's log of {self._name} cannot be followed: its logging driver keeps "
                "none that can be read"
            )

    def lines(self, patience: float) -> Sequence[StampedLine]:
        """Return the lines that have come, after at most `patience` seconds.

        Each once, although nginx may write it to several places.
        """
        lines: list[StampedLine] = []
        for place, follower in list(self._followers.items()):
            rows = self._rows(place, follower, patience)
            if len(self._followers) > 1:
                rows = [row for row in rows if self._is_first(row.text, place)]
            lines += rows
        return lines

    def close(self) -> None:
        """Follow nothing any more."""
        for place in list(self._followers):
            self._drop(place)

    def _follow_files(
        self, identity: str, places: LogPlaces, control: EngineControl, *, is_here: bool
    ) -> None:
        """Follow the files that nginx writes now, and no others. An open one stays open."""
        for place in set(self._followers) - {_ENGINE, *places.files, *places.missing}:
            self._drop(place)
        inspection = control.inspect(identity)
        for path in places.files:
            if path in self._followers:
                continue
            here: Path | None = None
            if inspection and is_here:
                here = host_path(path, inspection.mounts)
            self._followers[path] = self._file_follower(identity, path, here, control)
        for place in places.elsewhere:
            self._say(f"{self._name} writes nginx's errors to {place}, which cannot be followed")
        if self._retry == _LONGEST_RETRY:
            self._is_complete = True
            for place in places.missing:
                self._say(f"{self._name} has no nginx error log {place} that can be read")

    def _file_follower(
        self, identity: str, path: str, here: Path | None, control: EngineControl
    ) -> Follower:
        if here is not None:
            with suppress(OSError):
                return HostFollower(FollowedFile(here))
        return ContainerFollower(identity, path, control, self._deps.monotonic)

    def _rows(self, place: str, follower: Follower, patience: float) -> Sequence[StampedLine]:
        if place == _ENGINE:
            return self._engine_lines(follower, patience)
        rows: Sequence[StampedLine] | None = ()
        with suppress(DockerUnavailable):
            rows = follower.lines(patience)
        if rows is None:
            self._drop(place)
            self._say(f"nginx's error log {place} in {self._name} cannot be read")
        return rows or ()

    def _is_first(self, text: str, place: str) -> bool:
        known = self._seen.setdefault(text, place)
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return known == place

    def _engine_lines(self, follower: Follower, patience: float) -> Sequence[StampedLine]:
        received = follower.received
        lines = follower.lines(patience)
        if lines is None:
            self._drop(_ENGINE)
            return ()
        if lines:
            self._since = since_after(lines[-1].when) or self._since
        self._busy = self._busy + 1 if follower.received - received >= _FULL else 0
        if self._busy > _BUSY and self._is_behind(lines):
            self._skip_to_now()
        return lines

    def _is_behind(self, lines: Sequence[StampedLine]) -> bool:
        """Whether the lines are old; without a line in so much nobody knows."""
        when = parse_moment(lines[-1].when) if lines else None
        return when is None or self._deps.now() + self._skew - when > _BEHIND

    def _skip_to_now(self) -> None:
        self._drop(_ENGINE)
        self._since = f"{self._deps.now() + self._skew:.6f}"
        self._busy, self._due = 0, 0.0
        self._say(f"{self._name} writes faster than its log is read: a part of it was skipped")

    def _drop(self, place: str) -> None:
        if follower := self._followers.pop(place, None):
            follower.close()
