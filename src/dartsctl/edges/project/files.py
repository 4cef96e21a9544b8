"""Write files into somebody's project: each is complete, all or none.

A new file never takes another one's place, and an edit is refused if the file has changed since it
was read.

Also the templates that `init` copies. They are part of the package; in a checkout of dartsctl they
are the files of the repository.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE

from dartsctl.errors import DartsctlError, Refused
from dartsctl.system import bounded_file
from dartsctl.system.files import EVERYBODY, PUBLIC_FOLDER, Folder, UnsafeFile
from dartsctl.system.path_walk import locate, open_folder
from dartsctl.system.signal_handlers import STOP_SIGNALS, signal_handlers
from dartsctl.text.phrases import shell_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE = Path(__file__).parents[2]
_NOT_SHIPPED = frozenset({"__pycache__", "instance", ".compose-lint.yml", ".compose-lint.dev.yml"})
_PRIVATE = frozenset({".crt", ".key", ".pem", ".pyc", ".db"})


def template(name: str) -> str:
    """Return the text of a template, by its path in the repository: `compose/prod.yml`."""
    return (_templates() / name).read_text(encoding="utf-8")


def template_mode(name: str) -> int:
    """Return 0755 for a template that is a program, else 0644."""
    return 0o755 if os.access(_templates() / name, os.X_OK) else 0o644


def template_names(folder: str) -> tuple[str, ...]:
    """Return the paths of all templates in `folder`, without the traces of its use."""
    root = _templates()
    names: list[str] = []
    for file in sorted((root / folder).rglob("*")):
        name = file.relative_to(root)
        is_shipped = file.suffix not in _PRIVATE and _NOT_SHIPPED.isdisjoint(name.parts)
        if is_shipped and file.is_file():
            names.append(name.as_posix())
    return tuple(names)


def _templates() -> Path:
    shipped = _PACKAGE / "templates"
    return shipped if shipped.is_dir() else _PACKAGE.parents[1]


class FileTransaction:
    """What was written so far. `file_transaction` undoes it where not all could be written."""

    def __init__(self) -> None:
        self._created: list[tuple[Path, os.stat_result]] = []
        self._folders: list[Path] = []
        self._changed: list[tuple[Path, bytes, bytes]] = []
        self._is_interrupted = False

    def create(self, path: Path, text: str, mode: int) -> None:
        """Write a new file, and the folders that it needs.

        Raises DartsctlError where the file exists by now, or cannot be written.
        """
        self.check_interrupt()
        with _as_dartsctl_errors(path):
            self._note_missing(path.parent)
            with open_folder(path.parent, make=PUBLIC_FOLDER) as folder:
                self._created.append((path, folder.add(path.name, text.encode(), mode=mode)))

    def append(self, path: Path, lines: tuple[str, ...], *, expected: bytes | None = None) -> None:
        """Append lines to a text file, with its kind of line ends; create it where it is missing.

        A link of a trusted user stays a link. Raises DartsctlError where the file has other content
        than `expected`: it may have the same variable by now.
        """
        self.check_interrupt()
        if not os.path.lexists(path):
            self.create(path, "".join(f"{line}\n" for line in lines), 0o644)
            return
        with _as_dartsctl_errors(path):
            folder, name = locate(path)
            with folder:
                old = _read(folder, name)
                if expected is not None:
                    _require_unchanged(path, old, expected)
                end = b"\r\n" if b"\r\n" in old else b"\n"
                new = old
                if old and not old.endswith(b"\n"):
                    new += end
                new += b"".join(line.encode() + end for line in lines)
                self._change(folder, name, old, new)

    def edit(self, path: Path, old: bytes, text: str) -> None:
        """Replace the content of a text file, which must still be `old`; owner and mode stay.

        A link of a trusted user stays a link. Raises DartsctlError where the file has changed.
        """
        self.check_interrupt()
        with _as_dartsctl_errors(path):
            folder, name = locate(path)
            with folder:
                _require_unchanged(path, _read(folder, name), old)
                self._change(folder, name, old, text.encode())

    def interrupt(self, _number: int = 0, _frame: object = None) -> None:
        """Stop before the next file. The current one is completed, so that the undo knows it."""
        self._is_interrupted = True

    def check_interrupt(self) -> None:
        """Raise KeyboardInterrupt after `interrupt`."""
        if self._is_interrupted:
            raise KeyboardInterrupt

    def undo(self) -> None:
        """Undo what was written, except files that somebody else has changed meanwhile."""
        for path, status in reversed(self._created):
            with suppress(OSError, UnsafeFile), open_folder(path.parent) as folder:
                now = folder.stat(path.name)
                if now and os.path.samestat(now, status):
                    folder.remove(path.name)
        for path, old, new in reversed(self._changed):
            with suppress(OSError, UnsafeFile), open_folder(path.parent) as folder:
                if _read(folder, path.name) == new:
                    _replace(folder, path.name, old)
        for path in reversed(self._folders):
            with suppress(OSError, UnsafeFile), open_folder(path.parent) as folder:
                folder.remove_folder(path.name)

    def _change(self, folder: Folder, name: str, old: bytes, new: bytes) -> None:
        self._changed.append((folder.path / name, old, new))
        _replace(folder, name, new)

    def _note_missing(self, folder: Path) -> None:
        missing: list[Path] = []
        while not os.path.lexists(folder):
            missing.append(folder)
            folder = folder.parent
        self._folders += reversed(missing)


@contextmanager
def file_transaction() -> Iterator[FileTransaction]:
    """Write files inside this context; an error undoes all of them.

    So do Ctrl-C, SIGTERM and SIGHUP; each raises KeyboardInterrupt.
    """
    files = FileTransaction()
    with signal_handlers(STOP_SIGNALS, files.interrupt):
        try:
            yield files
            files.check_interrupt()
        except BaseException:
            files.undo()
            raise


@contextmanager
def _as_dartsctl_errors(path: Path) -> Iterator[None]:
    """Convert errors of writing `path`."""
    try:
        yield
    except FileExistsError:
        if path.is_symlink():
            raise DartsctlError(
                f"{path} is a symbolic link; nothing was written",
                hint=shell_command("ls", "-l", path),
            ) from None
        raise DartsctlError(
            f"{path} was created meanwhile; nothing was written", hint="dartsctl init"
        ) from None
    except UnsafeFile as error:
        raise Refused(f"{error.message}; nothing was written", hint=error.hint) from error
    except OSError as error:
        hint = shell_command("ls", "-ld", path.parent)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = shell_command("df", "-h", path.parent)
        raise DartsctlError(
            f"cannot write {path}: {error.strerror}; nothing was written", hint=hint
        ) from error


def _require_unchanged(path: Path, now: bytes, old: bytes) -> None:
    if now != old:
        raise DartsctlError(
            f"{path} was changed meanwhile; nothing was written", hint="dartsctl init"
        )


def _read(folder: Folder, name: str) -> bytes:
    """Return the content of a text file. Raises FileNotFoundError, UnsafeFile, OSError."""
    return folder.read(name, limit=bounded_file.TEXT_LIMIT, owners=EVERYBODY)


def _replace(folder: Folder, name: str, data: bytes) -> None:
    """Replace the content of a file; owner and mode stay.

    Raises FileNotFoundError, UnsafeFile, OSError.
    """
    folder.check(name, owners=EVERYBODY)
    status = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
    owner = (status.st_uid, status.st_gid) if os.geteuid() == 0 else None
    with folder.temporary_file(data, S_IMODE(status.st_mode), owner=owner, sync=True) as temporary:
        folder.rename(temporary, name)
