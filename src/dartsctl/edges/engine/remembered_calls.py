"""Answers of Compose that one run asks for again.

An answer counts until a file that it depends on has changed. Not all of these files are known where
the Compose files name others: then it counts only for a short time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dartsctl.config.environment import default_env_files
from dartsctl.records import field, record
from dartsctl.system import bounded_file
from dartsctl.text.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from dartsctl.config.environment import Environment
    from dartsctl.edges.engine.compose_call import Resolving
    from dartsctl.spawn import Completed, Running

_LONG = 600.0
"""Seconds for which an answer counts at most."""
_OTHER_FILES = regex(r"\b(?:include|extends|env_file|label_file)\b")
"""What makes an answer depend on files that are not named here."""
_MOST = 32
"""Answers that are kept."""

_Stamp = tuple[object, ...]


@record
class _Kept:
    done: Completed
    stamp: _Stamp
    when: float


@record(frozen=False)
class RememberedCalls:
    """The latest successful answers by their command line. Raises nothing.

    `short`: seconds for which an answer counts where not all files are known.
    """

    short: float
    monotonic: Callable[[], float] = time.monotonic
    _kept: dict[tuple[str, ...], _Kept] = field(default_factory=dict)

    def take(self, argv: Sequence[str], environment: Environment) -> Completed | None:
        """Return the answer to a command line, None where Compose must be asked."""
        kept = self._kept.get(tuple(argv))
        if kept is None or kept.stamp != _stamp_of(environment):
            return None
        age = self.monotonic() - kept.when
        if age >= _LONG or (age >= self.short and not _names_all_files(environment)):
            return None
        return kept.done

    def remembering(
        self, running: Running | Resolving, argv: Sequence[str], environment: Environment
    ) -> Remembering:
        """Return a call that was just started, whose answer will be kept."""
        return Remembering(running, self, tuple(argv), _stamp_of(environment))

    def keep(self, argv: Sequence[str], done: Completed, stamp: _Stamp) -> None:
        """Keep an answer to a call that began when the files were as `stamp` says."""
        if done.code != 0 or not stamp:
            return
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[tuple(argv)] = _Kept(done, stamp, self.monotonic())

    def clear(self) -> None:
        """Forget all answers."""
        self._kept.clear()

    def stamp(self, environment: Environment) -> _Stamp:
        """Return what differs for other contents of the files; empty where they are not known."""
        return _stamp_of(environment)


@record
class Remembering:
    """A process in place of a `spawn.Running`, whose output is kept."""

    running: Running | Resolving
    calls: RememberedCalls
    argv: tuple[str, ...]
    stamp: _Stamp

    def result(self, *, deadline: float) -> Completed:
        """Return the output."""
        done = self.running.result(deadline=deadline)
        self.calls.keep(self.argv, done, self.stamp)
        return done

    def abandon(self) -> None:
        """End the process."""
        self.running.abandon()


def _files_of(environment: Environment) -> tuple[Path, ...]:
    return (*environment.files, *environment.env_files, *default_env_files(environment))


def _stamp_of(environment: Environment) -> _Stamp:
    if not environment.files:  # Compose picks them
        return ()
    return tuple(map(_identity, _files_of(environment)))


def _identity(file: Path) -> tuple[object, ...]:
    """Return what differs for every new content of a file, and for a file that is gone."""
    try:
        status = file.stat()
    except OSError:
        return (str(file), None)
    changed = (status.st_mtime_ns, status.st_ctime_ns)
    return (str(file), status.st_dev, status.st_ino, status.st_size, *changed)


def _names_all_files(environment: Environment) -> bool:
    """Whether the Compose files name no others on which an answer depends."""
    try:
        for file in environment.files:
            text = bounded_file.read_text(file, limit=bounded_file.COMPOSE_LIMIT)
            if _OTHER_FILES.search(text):
                return False
    except OSError:
        return False
    return True
