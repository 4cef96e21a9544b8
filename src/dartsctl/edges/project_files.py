"""Files written into somebody's project: never over one that is there, each whole or not at all, and all of them or none.

And the templates that `init` copies: shipped inside the package; in a checkout of dartsctl they are the repository's own files.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dartsctl import bounded_file
from dartsctl.errors import DartsctlError

_PACKAGE = Path(__file__).parents[1]
_NOT_SHIPPED = frozenset({"__pycache__", "instance", ".compose-lint.yml", ".compose-lint.dev.yml"})
_PRIVATE = frozenset({".crt", ".key", ".pem", ".pyc", ".db"})


def template(name: str) -> str:
    """The text of a shipped file, by its path in the repository: `.env.example`, `compose/prod.yml`."""
    return (_templates() / name).read_text(encoding="utf-8")


def template_mode(name: str) -> int:
    """0755 for a shipped file that is started as a program, else 0644."""
    return 0o755 if os.access(_templates() / name, os.X_OK) else 0o644


def template_names(folder: str) -> tuple[str, ...]:
    """The paths of every shipped file in `folder`, for `template`; nothing that somebody's own use of the folder has left in it."""
    root = _templates()
    files = (file for file in sorted((root / folder).rglob("*")) if file.is_file())
    return tuple(
        file.relative_to(root).as_posix() for file in files if file.suffix not in _PRIVATE and _NOT_SHIPPED.isdisjoint(file.relative_to(root).parts)
    )


def _templates() -> Path:
    shipped = _PACKAGE / "templates"
    return shipped if shipped.is_dir() else _PACKAGE.parents[1]


class Writing:
    """What has been written so far; `writing` takes it back where not all of it could be."""

    def __init__(self) -> None:
        self._fresh: list[Path] = []
        self._made: list[tuple[Path, tuple[int, int]]] = []
        self._folders: list[Path] = []
        self._changed: list[tuple[Path, bytes]] = []

    def create(self, path: Path, text: str, mode: int) -> None:
        """Write a new file, and the folders that it needs. Raises DartsctlError where there is one by now, or it cannot be written."""
        with _told(path):
            self._make_folders(path.parent)
            fresh = _beside(path)
            self._fresh.append(fresh)  # an interrupt may come in the very `finally` that removes it
            try:
                _fill(fresh, text.encode(), mode)
                found = fresh.stat()
                self._made.append((path, (found.st_dev, found.st_ino)))  # before the name is there: an interrupt may come in between
                _name(fresh, path)
            finally:
                fresh.unlink(missing_ok=True)

    def append(self, path: Path, lines: tuple[str, ...]) -> None:
        """Add lines to a text file, in its own kind of line ends; a new file where there is none."""
        if not path.exists():
            self.create(path, "".join(f"{line}\n" for line in lines), 0o644)
            return
        with _told(path):
            real = path.resolve()  # a link stays one
            old = bounded_file.read_bytes(real)
            end = b"\r\n" if b"\r\n" in old else b"\n"
            gap = end if old and not old.endswith(b"\n") else b""
            self._changed.append((real, old))
            _replace(real, old + gap + b"".join(line.encode() + end for line in lines))

    def undo(self) -> None:
        """Take back what was written; what somebody else has put in its place since stays."""
        for fresh in self._fresh:
            with suppress(OSError):
                fresh.unlink(missing_ok=True)
        for path, identity in reversed(self._made):
            with suppress(OSError):
                found = path.stat()
                if (found.st_dev, found.st_ino) == identity:
                    path.unlink()
        for path, old in self._changed:
            with suppress(OSError):
                _replace(path, old)
        for folder in reversed(self._folders):
            with suppress(OSError):
                folder.rmdir()

    def _make_folders(self, folder: Path) -> None:
        absent = []
        while not folder.exists():
            absent.append(folder)
            folder = folder.parent
        for one in reversed(absent):
            self._folders.append(one)
            one.mkdir()
            _give_to_the_folders_owner(one)


@contextmanager
def writing() -> Iterator[Writing]:
    """Within it files are written; an error, Ctrl-C, SIGTERM or SIGHUP (then a KeyboardInterrupt too) takes all of them back."""
    files = Writing()
    numbers = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _interrupt) for number in numbers}
    try:
        yield files
    except BaseException:
        files.undo()
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise DartsctlError(f"{path} has just been made by somebody else; nothing was written", hint="dartsctl init") from None
    except OSError as error:
        raise DartsctlError(f"{path} cannot be written: {error.strerror}; nothing was written", hint=f"ls -ld {path.parent}") from error


def _beside(path: Path) -> Path:
    """The name under which a file is written before it gets its own."""
    return path.with_name(f".{path.name}.{os.getpid()}.new")


def _fill(fresh: Path, data: bytes, mode: int) -> None:
    """Make the file `fresh`; nobody else may read it before it is whole."""
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    _give_to_the_folders_owner(fresh)
    fresh.chmod(mode)


def _name(fresh: Path, path: Path) -> None:
    """Give a whole file its name, which nobody has. Raises FileExistsError."""
    try:
        os.link(fresh, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError(path) from None
        fresh.rename(path)


def _replace(path: Path, data: bytes) -> None:
    found, fresh = path.stat(), _beside(path)
    try:
        _fill(fresh, data, found.st_mode & 0o7777)
        if os.geteuid() == 0:
            os.chown(fresh, found.st_uid, found.st_gid)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def _give_to_the_folders_owner(path: Path) -> None:
    """Under sudo the checkout is the caller's (EDGE 84), and what is in it must stay theirs to read and to change."""
    owner = path.parent.stat()
    if os.geteuid() == 0 and owner.st_uid:
        os.chown(path, owner.st_uid, owner.st_gid)
