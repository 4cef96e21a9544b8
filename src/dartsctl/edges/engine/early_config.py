"""Compose's `config` for a preflight, started before the rest of dartsctl is imported.

Compose needs longer to resolve the files than dartsctl for everything until it uses the model. What
the call will be is known from an earlier run with the same words in the same folder, which found it
out with all checks. It is only a guess: what it brings is used where the real call turns out to be
the same, and is thrown away otherwise.

Nothing that another user can change is obeyed early: the program, the files and their folders must
belong to this user or root. That is stricter than config/trust, which judges before the answer
counts.

This is one of the first modules of a run. It imports only what the interpreter has loaded already.
"""

from __future__ import annotations

import os
import stat
import time
from itertools import pairwise

from dartsctl.system import interrupts
from dartsctl.system.child import SIGKILL, Child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FILE = "early-calls"
"""In the state folder: a line for each call, with NUL characters between its words."""
RARELY = "000000000400"
"""How often Go's garbage collector runs for a `config`: when the memory has grown fourfold, which
saves a fifth of Compose's time. The zeros make it recognisable, should a file use the variable."""
_COLLECTOR = "GOGC"
_MOST = 32
"""Calls that are remembered."""
_LIMIT = 64 << 10
"""Bytes of FILE."""
_FILE_LIMIT = 1 << 20
"""Bytes of a file that are searched for the variable."""
_FRESH = 10.0
"""Seconds for which an answer counts: while one waits for a lock, files may change that are only
named by those that a call names."""
_COMPOSE_FILES = (
    *("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"),
    *("compose.override.yaml", "compose.override.yml"),
    *("docker-compose.override.yml", "docker-compose.override.yaml"),
)
"""What Compose looks for in the working folder if a call names no file."""
_OF_DISPLAY = frozenset(
    ("--json", "--quiet", "-q", "--verbose", "-v", "--no-color", "--no-input", "--yes", "-y")
)
"""Options that do not change the call."""
_AS_TEXT = {"COMPOSE_ANSI": "never", "COMPOSE_MENU": "0"}
"""Variables for a Compose call whose output is read: no colours, no menu."""


def plain_environ() -> dict[str, str]:
    """Return our environment for a Compose call whose output is read."""
    return {**os.environ, **_AS_TEXT}


def config_environ(argv: Sequence[str]) -> dict[str, str]:
    """Return our environment for the `config` call `argv`, which is a fifth faster in it.

    The files must not use the variable that does it. Others that they include may: then RARELY is
    in the answer, and the call has to be made again.
    """
    environ = plain_environ()
    if _COLLECTOR not in environ and not any(map(_may_use_variable, _files_of(argv))):
        environ[_COLLECTOR] = RARELY
    return environ


class EarlyConfig:
    """The call that is remembered for a command line, its process, and what it really was."""

    def __init__(self, words: Sequence[str], text: bytes) -> None:
        """`words`: the command line. `text`: the content of FILE."""
        self._folder = os.getcwd()
        self._text = text
        self._key = _line([self._folder, *_without_display(words)])
        self._remembered = _call_of(text, self._key)
        self._environ: dict[str, str] = {}
        self._child: Child | None = None
        self._files: list[tuple[object, ...]] = []
        """What the files were when the call began."""
        self._began = time.monotonic()
        self._real: tuple[str, ...] = ()

    def start(self) -> None:
        """Start the remembered call, where everything that it uses is ours."""
        argv = self._remembered
        if not argv or not _compose_files(argv):
            return
        if not all(map(_is_ours, (argv[0], *_files_of(argv)))):
            return
        self._environ = config_environ(argv)
        self._files = list(map(_identity, _files_of(argv)))
        with interrupts.Held():  # a process that runs, but is not known yet, would be left behind
            try:
                self._child = Child(argv[0], argv, self._environ)
            except (OSError, ValueError):  # the real call will say what is wrong
                return

    def take(self, argv: Sequence[str], environ: Mapping[str, str]) -> Child | None:
        """Return the process for the run's first `config` call; None if it is another call.

        A process that was started for nothing is ended.
        """
        if self._real:
            return None
        self._real = tuple(argv)
        child = self._child
        if child is None:
            return None
        is_late = time.monotonic() > self._began + _FRESH
        is_equal = self._real == self._remembered and environ == self._environ
        if os.getcwd() != self._folder or list(map(_identity, _files_of(argv))) != self._files:
            is_equal = False
        if is_late or not is_equal:
            self.end()
            return None
        return child

    def new_text(self, argv: Sequence[str]) -> bytes | None:
        """Return the content of FILE with the first call `argv`; None where it has it already."""
        real = tuple(argv)
        if real != self._real or real == self._remembered:
            return None
        line = _line(real)
        if not self._key or not line:
            return None
        start = self._key + _BETWEEN
        lines = self._text.split(b"\n")
        others = [other for other in lines if other and not other.startswith(start)]
        return b"\n".join([start + line, *others[: _MOST - 1]])

    def end(self) -> None:
        """End the process if it still runs, and leave no zombie."""
        if self._child is not None:
            self._child.signal(SIGKILL)
            self._child.close()
            self._child = None


_early: EarlyConfig | None = None
_BETWEEN = b"\0\0"


def start(words: Sequence[str]) -> None:
    """Start the call that the command line `words` made the last time. Raises nothing."""
    global _early  # noqa: PLW0603 - one process has one command line
    if "--" in words:
        return
    try:
        early = EarlyConfig(words, _read(_place(os.environ)))
        interrupts.before_exit(early.end)
        early.start()
    except OSError:  # no folder, or no state folder
        return
    _early = early


def take(argv: Sequence[str], environ: Mapping[str, str]) -> Child | None:
    """Return the process that was started early, if it is this call: see EarlyConfig."""
    return _early.take(argv, environ) if _early else None


def new_text(argv: Sequence[str]) -> bytes | None:
    """Return what FILE should have from now on; None if it is right."""
    return _early.new_text(argv) if _early else None


def end() -> None:
    """End the process that was started early, if it still runs."""
    if _early:
        _early.end()


def _without_display(words: Sequence[str]) -> list[str]:
    return [word for word in words if word not in _OF_DISPLAY]


def _line(words: Sequence[str]) -> bytes:
    """Return words as part of a line of FILE; empty where they do not fit into one."""
    line = b"\0".join(map(os.fsencode, words))
    if b"\n" in line or line.count(b"\0") != len(words) - 1 or not all(words):
        return b""
    return line


def _call_of(text: bytes, key: bytes) -> tuple[str, ...]:
    """Return the call that is remembered under `key`, empty if there is none."""
    if not key:
        return ()
    for line in text.split(b"\n"):
        if line.startswith(key + _BETWEEN):
            return tuple(map(os.fsdecode, line[len(key + _BETWEEN) :].split(b"\0")))
    return ()


def _place(environ: Mapping[str, str]) -> str:
    """Return the path of FILE: see edges/state/folder.

    Raises FileNotFoundError where that depends on more: sudo, a user without a home.
    """
    home = environ.get("HOME", "")
    for folder, below in (
        (environ.get("DARTSCTL_STATE_DIR", ""), ""),
        (environ.get("XDG_STATE_HOME", ""), "/dartsctl"),
        (home.rstrip("/"), "/.local/state/dartsctl"),
    ):
        if folder.startswith("/") and "SUDO_UID" not in environ:
            return f"{folder}{below}/{FILE}"
    raise FileNotFoundError


def _read(path: str) -> bytes:
    """Return the content of FILE, empty where it is not there or not ours alone."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        status = os.fstat(file)
        is_private = status.st_uid == os.geteuid() and not status.st_mode & 0o022
        if not stat.S_ISREG(status.st_mode) or not is_private or status.st_nlink != 1:
            return b""
        return os.read(file, _LIMIT)
    finally:
        os.close(file)


def _files_of(argv: Sequence[str]) -> Iterator[str]:
    """Yield the files that a call reads first: Compose files and env files, as far as named."""
    files = _compose_files(argv)
    yield from files
    env_files = _values_of("--env-file", argv)
    yield from env_files
    if env_files:
        return
    first = os.path.dirname(files[0]) if files else ""
    for path in {".env", f"{first or '.'}/.env"}:
        if os.path.lexists(path):
            yield path


def _compose_files(argv: Sequence[str]) -> list[str]:
    """Return the Compose files of a call, empty if they are not in the working folder either."""
    files = _values_of("--file", argv)
    if files or os.environ.get("COMPOSE_FILE"):
        return files
    return [name for name in _COMPOSE_FILES if os.path.lexists(name)]


def _values_of(wanted: str, argv: Sequence[str]) -> list[str]:
    values: list[str] = []
    for option, value in pairwise(argv):
        if option == "config":
            break
        if option == wanted:
            values.append(value)
    return values


def _identity(path: str) -> tuple[object, ...]:
    """Return what differs for every new content of a file, and for a file that is gone."""
    try:
        status = os.stat(path)
    except OSError:
        return (path,)
    changed = (status.st_mtime_ns, status.st_ctime_ns)
    return (path, status.st_dev, status.st_ino, status.st_size, *changed)


def _is_ours(path: str) -> bool:
    """Return whether it is a regular file, and only this user and root can change what it is."""
    users = (0, os.geteuid())
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # what is in a pipe can be read only once
            return False
        for status in (os.lstat(path), os.stat(path), os.stat(os.path.dirname(path) or ".")):
            is_open = status.st_mode & stat.S_IWOTH and not stat.S_ISLNK(status.st_mode)
            if status.st_uid not in users or is_open:
                return False
    except OSError:
        return False
    return True


def _may_use_variable(path: str) -> bool:
    """Return whether a file may use the collector's variable; only a regular one is read."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _FILE_LIMIT:
            return True
        with open(path, "rb", buffering=0) as file:
            return _COLLECTOR.encode() in file.read(_FILE_LIMIT)
    except OSError:
        return True
