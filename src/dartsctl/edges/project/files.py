"""Files written into somebody's project: never over one that is there, each whole or not at all, and all of them or none.

And the templates that `init` copies: shipped inside the package; in a checkout of dartsctl they are the repository's own files.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE

from dartsctl.errors import DartsctlError, Refused
from dartsctl.system import bounded_file
from dartsctl.system.files import EVERYBODY, PUBLIC_FOLDER, Folder, UnsafeFile, locate, open_folder
from dartsctl.text.phrases import shell_command

_PACKAGE = Path(__file__).parents[2]
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
        file.relative_to(root).as_posix()
        for file in files
        if file.suffix not in _PRIVATE and _NOT_SHIPPED.isdisjoint(file.relative_to(root).parts)
    )


def _templates() -> Path:
    shipped = _PACKAGE / "templates"
    return shipped if shipped.is_dir() else _PACKAGE.parents[1]


class Writing:
    """What has been written so far; `writing` takes it back where not all of it could be."""

    def __init__(self) -> None:
        self._made: list[tuple[Path, os.stat_result]] = []
        self._folders: list[Path] = []
        self._changed: list[tuple[Path, bytes]] = []
        self._is_interrupted = False

    def create(self, path: Path, text: str, mode: int) -> None:
        """Write a new file, and the folders that it needs. Raises DartsctlError where there is one by now, or it cannot be written."""
        self.go_on()
        with _told(path):
            self._note_missing(path.parent)
            with open_folder(path.parent, make=PUBLIC_FOLDER) as folder:
                self._made.append((path, folder.add(path.name, text.encode(), mode=mode)))

    def append(self, path: Path, lines: tuple[str, ...]) -> None:
        """Add lines to a text file, in its own kind of line ends; a new file where there is none. A link of our own stays one."""
        self.go_on()
        if not os.path.lexists(path):
            self.create(path, "".join(f"{line}\n" for line in lines), 0o644)
            return
        with _told(path):
            folder, name = locate(path)
            with folder:
                old = folder.read(name, limit=bounded_file.TEXT_LIMIT, owners=EVERYBODY)
                end = b"\r\n" if b"\r\n" in old else b"\n"
                gap = end if old and not old.endswith(b"\n") else b""
                self._changed.append((folder.path / name, old))
                _replace(folder, name, old + gap + b"".join(line.encode() + end for line in lines))

    def interrupt(self, _number: int = 0, _frame: object = None) -> None:
        """Stop before the next file: the one that is being written is finished, so that nothing of it is left over."""
        self._is_interrupted = True

    def go_on(self) -> None:
        """Raise KeyboardInterrupt after `interrupt`."""
        if self._is_interrupted:
            raise KeyboardInterrupt

    def undo(self) -> None:
        """Take back what was written; what somebody else has put in its place since stays."""
        for path, status in reversed(self._made):
            with suppress(OSError, UnsafeFile), open_folder(path.parent) as folder:
                if (now := folder.stat(path.name)) and os.path.samestat(now, status):
                    folder.remove(path.name)
        for path, old in self._changed:
            with suppress(OSError, UnsafeFile), open_folder(path.parent) as folder:
                _replace(folder, path.name, old)
        for path in reversed(self._folders):
            with suppress(OSError, UnsafeFile), open_folder(path.parent) as folder:
                folder.remove_folder(path.name)

    def _note_missing(self, folder: Path) -> None:
        missing = []
        while not os.path.lexists(folder):
            missing.append(folder)
            folder = folder.parent
        self._folders += reversed(missing)


@contextmanager
def writing() -> Iterator[Writing]:
    """Within it files are written; an error, Ctrl-C, SIGTERM or SIGHUP (then a KeyboardInterrupt too) takes all of them back."""
    files = Writing()
    wanted = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {
        number: signal.signal(number, files.interrupt)
        for number in wanted
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield files
        files.go_on()
    except BaseException:
        files.undo()
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        if path.is_symlink():
            raise DartsctlError(
                f"{path} is a symbolic link; nothing was written",
                hint=shell_command("ls", "-l", path),
            ) from None
        raise DartsctlError(
            f"{path} has just been made by somebody else; nothing was written", hint="dartsctl init"
        ) from None
    except UnsafeFile as error:
        raise Refused(f"{error.message}; nothing was written", hint=error.hint) from error
    except OSError as error:
        raise DartsctlError(
            f"{path} cannot be written: {error.strerror}; nothing was written",
            hint=shell_command("ls", "-ld", path.parent),
        ) from error


def _replace(folder: Folder, name: str, data: bytes) -> None:
    """Give a file a new content; owner and mode stay. Raises FileNotFoundError, UnsafeFile, OSError."""
    folder.check(name, owners=EVERYBODY)
    status = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
    owner = (status.st_uid, status.st_gid) if os.geteuid() == 0 else None
    with folder.fresh(data, S_IMODE(status.st_mode), heir=owner, sync=True) as temporary:
        folder.rename(temporary, name)
