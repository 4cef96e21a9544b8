"""Open folders and files so that another user of this machine cannot lead us anywhere else.

The rules, for everything that dartsctl keeps or writes:

- A path is walked name by name. A symbolic link is followed only where it and the folder it
  lies in belong to this user or to root: nobody else can have put it there.
- A file is opened relative to its folder's descriptor, never through a link, and never waits.
  It must be a regular file with one name, and belong to a trusted user.
- A new file gets its content under an unpredictable name, then its own name in one step.
- Owner and mode are set by descriptor, and do not depend on the umask. What root makes belongs
  to the owner of the folder: under sudo it must stay the caller's to read and to remove.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import stat
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dartsctl.errors import Refused, TimedOut
from dartsctl.system.users import trusted_users, user_name

EVERYBODY = range(1 << 32)
"""As `owners`: any user."""
PRIVATE = 0o600
PRIVATE_FOLDER = 0o700
PUBLIC_FOLDER = 0o755

_WALK = getattr(os, "O_PATH", os.O_RDONLY)  # without O_PATH (macOS) each folder must be readable
_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_LINKS = 40
"""Links in one path, as in the kernel."""
_LOCK_PAUSE = 0.01  # seconds


class UnsafeFile(Refused):
    """What is there is not what dartsctl would have made: it is neither read nor changed."""

    def __init__(self, path: Path, what: str, *, command: str = "ls -ld") -> None:
        super().__init__(f"{path} {what}", hint=f"{command} {shlex.quote(str(path))}")
        self.path = path


class ForeignFile(UnsafeFile):
    """It belongs to a user who is not trusted."""

    def __init__(self, path: Path, uid: int) -> None:
        super().__init__(path, f"belongs to another user ({user_name(uid)})")


class LockTimeout(TimedOut):
    """Another process has held a lock until the deadline."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that is held open: it stays the same one, whatever is renamed or linked meanwhile.

    `path` is for messages, and for programs that need a path. A name is one name, without slashes.
    `owners` is who may own what is opened; by default the trusted users.
    """

    path: Path
    descriptor: int
    status: os.stat_result

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self.descriptor)

    @property
    def is_shared(self) -> bool:
        """Whether its group or everybody may write to it."""
        return bool(self.status.st_mode & 0o022)

    def refuse_exchange(self) -> None:
        """Raise UnsafeFile where others may put files of their own in the place of ours."""
        if self.is_shared and not self.status.st_mode & stat.S_ISVTX:
            raise UnsafeFile(self.path, "lets others exchange the files in it", command="chmod +t")

    def subfolder(
        self, name: str, *, make: int | None = None, owners: Collection[int] | None = None
    ) -> Folder:
        """Open a folder in this one. `make`: the mode of a new one where there is none.

        Raises FileNotFoundError, UnsafeFile, OSError.
        """
        status = self.stat(name)
        if status and not stat.S_ISDIR(status.st_mode):
            raise UnsafeFile(self.path / name, _kind(status))
        folder = _open_or_make(self, name, os.O_RDONLY, make, _heir(self.status))
        return _owned(folder, trusted_users() if owners is None else owners)

    def exists(self, name: str) -> bool:
        """Return whether something has the name, a link to nothing too."""
        return self.stat(name) is not None

    def is_folder(self, name: str) -> bool:
        """Return whether a folder has the name, not a link to one."""
        status = self.stat(name)
        return status is not None and stat.S_ISDIR(status.st_mode)

    def check(self, name: str, *, owners: Collection[int] | None = None) -> bool:
        """Return whether there is a file. Raises UnsafeFile where it is not one to be used."""
        status = self.stat(name)
        if status:
            _check_file(self.path / name, status, owners)
        return status is not None

    def open(
        self, name: str, flags: int = os.O_RDONLY, *, owners: Collection[int] | None = None
    ) -> int:
        """Return a descriptor of an existing file. Raises FileNotFoundError, UnsafeFile, OSError."""
        self.check(name, owners=owners)  # a device must not even be opened
        descriptor = os.open(name, flags | _FILE, dir_fd=self.descriptor)
        try:
            _check_file(self.path / name, os.fstat(descriptor), owners)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def create(self, name: str, mode: int = PRIVATE, *, heir: tuple[int, int] | None = None) -> int:
        """Return a descriptor, to read and write, of a new file. Raises FileExistsError, OSError.

        `heir`: uid and gid that it gets (default: where root makes it, those of the folder).
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _FILE
        descriptor = os.open(name, flags, mode, dir_fd=self.descriptor)
        try:
            _hand_over(descriptor, mode, heir or _heir(self.status))
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def open_or_create(
        self, name: str, mode: int = PRIVATE, *, owners: Collection[int] | None = None
    ) -> int:
        """Return a descriptor, to read and write, of a file that is there or is made. Raises UnsafeFile, OSError.

        Never with O_CREAT alone: in a folder like /tmp that is refused for another user's file (fs.protected_regular).
        """
        with suppress(FileNotFoundError):
            return self.open(name, os.O_RDWR, owners=owners)
        try:
            return self.create(name, mode)
        except FileExistsError:  # somebody was quicker
            return self.open(name, os.O_RDWR, owners=owners)

    def read(self, name: str, *, limit: int, owners: Collection[int] | None = None) -> bytes:
        """Return a file's content.

        Raises FileNotFoundError, OSError, UnsafeFile (also for more than `limit` bytes).
        """
        with os.fdopen(self.open(name, owners=owners), "rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise UnsafeFile(self.path / name, f"is larger than {limit:,} bytes")
        return data

    def replace(self, name: str, data: bytes, *, mode: int = PRIVATE) -> None:
        """Give a file a new content, whole or not at all. Raises UnsafeFile, OSError."""
        self.check(name)
        with self.fresh(data, mode) as temporary:
            self.rename(temporary, name)

    def add(self, name: str, data: bytes, *, mode: int = PRIVATE) -> os.stat_result:
        """Write a new file, whole or not at all. Raises FileExistsError, OSError."""
        with self.fresh(data, mode, sync=True) as temporary:
            status = os.stat(temporary, dir_fd=self.descriptor, follow_symlinks=False)
            self._name(temporary, name)
        return status

    @contextmanager
    def fresh(
        self, data: bytes, mode: int, *, heir: tuple[int, int] | None = None, sync: bool = False
    ) -> Iterator[str]:
        """Yield the unpredictable name of a new file with `data`; under that name it is removed at the end."""
        temporary = f".{os.urandom(8).hex()}.tmp"
        try:
            with os.fdopen(self.create(temporary, mode, heir=heir), "wb") as file:
                file.write(data)
                if sync:
                    file.flush()
                    os.fsync(file.fileno())
            yield temporary
        finally:
            self.remove(temporary)

    def rename(self, old: str, new: str) -> None:
        """Rename a file within the folder, over what is there. Raises OSError."""
        os.rename(old, new, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def remove(self, name: str) -> bool:
        """Remove a file, or a link itself; False where there was none. Raises OSError (a folder)."""
        try:
            os.unlink(name, dir_fd=self.descriptor)
        except FileNotFoundError:
            return False
        return True

    def remove_folder(self, name: str) -> None:
        """Remove an empty folder. Raises OSError."""
        os.rmdir(name, dir_fd=self.descriptor)

    def names(self) -> list[str]:
        """Return the names in the folder, sorted."""
        return sorted(entry.name for entry in os.scandir(self.descriptor))

    def stat(self, name: str) -> os.stat_result | None:
        """Return the status of what has the name, of a link itself; None where it is free."""
        try:
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def _name(self, temporary: str, name: str) -> None:
        """Give a complete file its name. Raises FileExistsError where something has it."""
        here = self.descriptor
        try:
            os.link(temporary, name, src_dir_fd=here, dst_dir_fd=here, follow_symlinks=False)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            if self.exists(name):
                raise FileExistsError(self.path / name) from None
            self.rename(temporary, name)


def open_folder(
    path: Path,
    *,
    make: int | None = None,
    heir: tuple[int, int] | None = None,
    owners: Collection[int] | None = None,
) -> Folder:
    """Open the folder `path`.

    `make`: the mode of folders that are missing on the way. `heir`: uid and gid that these get;
    by default, where root makes them, those of the folder they are made in. `owners`: who may own
    the last one; by default anybody.
    Raises FileNotFoundError, NotADirectoryError, UnsafeFile, OSError.
    """
    path = path.absolute()
    here = _walk(list(path.parts[1:]), make, heir)
    with here:
        descriptor = os.open(".", os.O_RDONLY | _FOLDER, dir_fd=here.descriptor)
    folder = Folder(path, descriptor, os.fstat(descriptor))
    return folder if owners is None else _owned(folder, owners)


def refuse_links_of_others(folder: Path) -> None:
    """Raise UnsafeFile where a link of another user leads to `folder`. Raises OSError too."""
    with open_folder(folder):
        return


def locate(path: Path) -> tuple[Folder, str]:
    """Open the folder of the file that `path` leads to, and return it with the file's name there, which is no link's.

    Raises UnsafeFile for a link of another user, OSError.
    """
    for links in range(_LINKS + 1):
        folder = open_folder(path.parent)
        try:
            target = _link_target(folder, path.name, links)
            if target is None:
                return folder, path.name
        except BaseException:
            os.close(folder.descriptor)
            raise
        os.close(folder.descriptor)
        path = folder.path / target
    raise UnsafeFile(path, "is one of too many symbolic links")


def lock(
    descriptor: int,
    path: Path,
    *,
    within: float,
    kind: int = fcntl.LOCK_EX,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Lock an open file (flock) until it is closed. `within`: seconds to wait for somebody else.

    Raises LockTimeout, OSError.
    """
    deadline = clock() + within
    while not try_lock(descriptor, kind):
        if clock() >= deadline:
            raise LockTimeout(
                f"{path} is locked by another process", hint=f"fuser -v {shlex.quote(str(path))}"
            )
        sleep(_LOCK_PAUSE)


def try_lock(descriptor: int, kind: int) -> bool:
    """Lock an open file (flock); False where somebody else has it. Raises OSError."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _walk(names: list[str], make: int | None, heir: tuple[int, int] | None) -> Folder:
    """Open the folder that these names lead to from the root, one after the other."""
    here, links = _root(), 0
    try:
        while names:
            name = names.pop(0)
            target = _link_target(here, name, links)
            if target is None:
                there = _open_or_make(here, name, _WALK, make, heir or _heir(here.status))
            else:
                links += 1
                names[:0] = [part for part in target.parts if part != target.anchor]
                there = _root() if target.is_absolute() else _open_in(here, ".", _WALK)
            os.close(here.descriptor)
            here = there
    except BaseException:
        os.close(here.descriptor)
        raise
    return here


def _root() -> Folder:
    descriptor = os.open("/", _WALK | _FOLDER)
    return Folder(Path("/"), descriptor, os.fstat(descriptor))


def _link_target(folder: Folder, name: str, links: int) -> Path | None:
    """Where the link `name`, the one after `links` others, leads; None for anything else.

    Raises UnsafeFile for a link that another user may have made: root follows not even those of
    the user who called sudo.
    """
    try:
        status = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISLNK(status.st_mode):
        return None
    for uid in (status.st_uid, folder.status.st_uid):
        if uid not in (0, os.geteuid()):
            raise UnsafeFile(
                folder.path / name, f"is a symbolic link of another user ({user_name(uid)})"
            )
    if links >= _LINKS:
        raise UnsafeFile(folder.path / name, "is one of too many symbolic links")
    return Path(os.readlink(name, dir_fd=folder.descriptor))


def _open_or_make(
    folder: Folder, name: str, flags: int, make: int | None, heir: tuple[int, int] | None
) -> Folder:
    try:
        return _open_in(folder, name, flags)
    except FileNotFoundError:
        if make is None:
            raise
    try:
        os.mkdir(name, make, dir_fd=folder.descriptor)
    except FileExistsError:  # somebody was quicker
        return _open_in(folder, name, flags)
    made = _open_in(folder, name, os.O_RDONLY)
    try:
        if made.status.st_uid == os.geteuid():  # and not one that was put in its place
            _hand_over(made.descriptor, make, heir)
        return Folder(made.path, made.descriptor, os.fstat(made.descriptor))
    except BaseException:
        os.close(made.descriptor)
        raise


def _open_in(folder: Folder, name: str, flags: int) -> Folder:
    descriptor = os.open(name, flags | _FOLDER, dir_fd=folder.descriptor)
    return Folder(folder.path / name, descriptor, os.fstat(descriptor))


def _hand_over(descriptor: int, mode: int, heir: tuple[int, int] | None) -> None:
    """Give what we have just made to `heir`, with the bits of `mode` that the umask took away."""
    if heir:
        os.fchown(descriptor, *heir)
    now = stat.S_IMODE(os.fstat(descriptor).st_mode)
    if mode & ~now:
        os.fchmod(descriptor, now | mode)


def _heir(status: os.stat_result) -> tuple[int, int] | None:
    """Who gets what is made in a folder with this status; None where it stays ours."""
    if os.geteuid() != 0 or status.st_uid == 0:
        return None
    return status.st_uid, status.st_gid


def _owned(folder: Folder, owners: Collection[int]) -> Folder:
    if folder.status.st_uid not in owners:
        os.close(folder.descriptor)
        raise ForeignFile(folder.path, folder.status.st_uid)
    return folder


def _check_file(path: Path, status: os.stat_result, owners: Collection[int] | None) -> None:
    """Raise UnsafeFile for what is no regular file of one name, or belongs to a stranger."""
    if not stat.S_ISREG(status.st_mode):
        raise UnsafeFile(path, _kind(status))
    if status.st_uid not in (trusted_users() if owners is None else owners):
        raise ForeignFile(path, status.st_uid)
    if status.st_nlink > 1:
        raise UnsafeFile(path, "has a second name (a hard link)")


def _kind(status: os.stat_result) -> str:
    kinds = {
        stat.S_IFLNK: "is a symbolic link",
        stat.S_IFDIR: "is a folder",
        stat.S_IFREG: "is a file, not a folder",
        stat.S_IFIFO: "is a named pipe",
        stat.S_IFSOCK: "is a socket",
    }
    return kinds.get(stat.S_IFMT(status.st_mode), "is a device")
