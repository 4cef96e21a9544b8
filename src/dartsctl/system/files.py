"""Open folders and files so that another user of this machine cannot redirect us.

The rules for everything that dartsctl keeps or writes:

- A path is walked name by name. A symbolic link is followed only if it and its folder belong to
  this user or to root, because then nobody else can have created it.
- A file is opened relative to its folder's descriptor, never through a link and without waiting.
  It must be a regular file with one name, and belong to a trusted user.
- A new file gets its content under an unpredictable name, and then its own name in one step.
- Owner and mode are set by descriptor and do not depend on the umask. What root creates belongs to
  the owner of the folder: under sudo the caller must be able to read and remove it.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from pathlib import Path

from dartsctl.errors import Refused
from dartsctl.records import record
from dartsctl.system.users import is_trusted, user_name
from dartsctl.text.phrases import shell_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

EVERYBODY = range(1 << 32)
"""As `owners`: any user."""
PRIVATE = 0o600
PRIVATE_FOLDER = 0o700
PUBLIC_FOLDER = 0o755

FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""The flags with which a folder is opened, never through a link."""
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
NO_FOLDER = (errno.ENOTDIR, errno.ELOOP)
"""What the kernel says of a link, or of anything else that is no folder."""


class UnsafeFile(Refused):
    """dartsctl would not have created this file or folder. It is neither read nor changed."""

    def __init__(self, path: Path, what: str, *, command: str = "ls -ld") -> None:
        super().__init__(f"{path} {what}", hint=f"{command} {shell_command(path)}")
        self.path = path


class ForeignFile(UnsafeFile):
    """The file or folder belongs to a user who is not trusted."""

    def __init__(self, path: Path, uid: int) -> None:
        super().__init__(path, f"belongs to another user ({user_name(uid)})")


@record
class Folder:
    """An open folder. It stays the same folder, whatever is renamed or linked meanwhile.

    `path` is for messages and for programs that need one. A `name` has no slashes. `owners` are the
    users who may own what is opened; by default the trusted users.
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

    def refuse_replaceable(self) -> None:
        """Raise UnsafeFile if other users can replace the files in it."""
        if self.is_shared and not self.status.st_mode & stat.S_ISVTX:
            raise UnsafeFile(
                self.path, "lets other users replace the files in it", command="chmod +t"
            )

    def subfolder(
        self, name: str, *, make: int | None = None, owners: Collection[int] | None = None
    ) -> Folder:
        """Open a folder in this one; create it with the mode `make`, if given and missing.

        Raises FileNotFoundError, UnsafeFile, OSError.
        """
        try:
            folder = open_or_make(self, name, os.O_RDONLY, make)
        except OSError as error:
            status = self.stat(name) if error.errno in NO_FOLDER else None
            if status and not stat.S_ISDIR(status.st_mode):
                raise UnsafeFile(self.path / name, _kind(status)) from None
            raise
        return owned(folder, owners)

    def exists(self, name: str) -> bool:
        """Return whether anything has the name, including a broken link."""
        return self.stat(name) is not None

    def is_folder(self, name: str) -> bool:
        """Return whether a folder has the name, not a link to one."""
        status = self.stat(name)
        return status is not None and stat.S_ISDIR(status.st_mode)

    def check(self, name: str, *, owners: Collection[int] | None = None) -> bool:
        """Return whether the file exists. Raises UnsafeFile if it must not be used."""
        status = self.stat(name)
        if status:
            _check_file(self, name, status, owners)
        return status is not None

    def open(
        self, name: str, flags: int = os.O_RDONLY, *, owners: Collection[int] | None = None
    ) -> int:
        """Return a descriptor of an existing file.

        Raises FileNotFoundError, UnsafeFile, OSError.
        """
        self.check(name, owners=owners)  # a device must not even be opened
        descriptor = os.open(name, flags | _FILE, dir_fd=self.descriptor)
        try:
            _check_file(self, name, os.fstat(descriptor), owners)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def create(
        self, name: str, mode: int = PRIVATE, *, owner: tuple[int, int] | None = None
    ) -> int:
        """Return a descriptor for reading and writing a new file.

        `owner`: its uid and gid. By default a file that root creates gets those of the folder.

        Raises FileExistsError, OSError.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _FILE
        descriptor = os.open(name, flags, mode, dir_fd=self.descriptor)
        try:
            _hand_over(descriptor, mode, owner or _new_owner(self.status))
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def open_or_create(
        self, name: str, mode: int = PRIVATE, *, owners: Collection[int] | None = None
    ) -> int:
        """Return a descriptor for reading and writing a file, which is created if missing.

        The file is never opened with O_CREAT alone: in a folder like /tmp the kernel refuses that
        for another user's file (fs.protected_regular).

        Raises UnsafeFile, OSError.
        """
        with suppress(FileNotFoundError):
            return self.open(name, os.O_RDWR, owners=owners)
        try:
            return self.create(name, mode)
        except FileExistsError:  # another process was faster
            return self.open(name, os.O_RDWR, owners=owners)

    def read(self, name: str, *, limit: int, owners: Collection[int] | None = None) -> bytes:
        """Return the content of a file.

        Raises FileNotFoundError, OSError, UnsafeFile (also for more than `limit` bytes).
        """
        with os.fdopen(self.open(name, owners=owners), "rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise UnsafeFile(self.path / name, f"is larger than {limit:,} bytes")
        return data

    def replace(self, name: str, data: bytes, *, mode: int = PRIVATE) -> None:
        """Replace the content of a file, whole or not at all. Raises UnsafeFile, OSError."""
        self.check(name)
        with self.temporary_file(data, mode) as temporary:
            self.rename(temporary, name)

    def add(self, name: str, data: bytes, *, mode: int = PRIVATE) -> os.stat_result:
        """Write a new file, whole or not at all. Raises FileExistsError, OSError."""
        with self.temporary_file(data, mode, sync=True) as temporary:
            status = os.stat(temporary, dir_fd=self.descriptor, follow_symlinks=False)
            self._name(temporary, name)
        return status

    @contextmanager
    def temporary_file(
        self, data: bytes, mode: int, *, owner: tuple[int, int] | None = None, sync: bool = False
    ) -> Iterator[str]:
        """Yield the unpredictable name of a new file with `data`, which is removed at the end."""
        temporary = f".{os.urandom(8).hex()}.tmp"
        try:
            with os.fdopen(self.create(temporary, mode, owner=owner), "wb") as file:
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
        """Remove a file or a link itself; return False if there was none. Raises OSError."""
        try:
            os.unlink(name, dir_fd=self.descriptor)
        except FileNotFoundError:
            return False
        return True

    def remove_folder(self, name: str) -> None:
        """Remove an empty folder. Raises OSError."""
        os.rmdir(name, dir_fd=self.descriptor)

    def names(self) -> list[str]:
        """Return the sorted names in the folder."""
        return sorted(entry.name for entry in os.scandir(self.descriptor))

    def stat(self, name: str) -> os.stat_result | None:
        """Return the status of a name, of a link itself; None if nothing has the name."""
        try:
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def _name(self, temporary: str, name: str) -> None:
        """Give a complete file its name. Raises FileExistsError if anything has that name."""
        here = self.descriptor
        try:
            os.link(temporary, name, src_dir_fd=here, dst_dir_fd=here, follow_symlinks=False)
        except FileExistsError:
            raise
        except OSError:  # the file system has no hard links
            if self.exists(name):
                raise FileExistsError(self.path / name) from None
            self.rename(temporary, name)


def open_or_make(
    folder: Folder,
    name: str,
    flags: int,
    make: int | None,
    owner: tuple[int, int] | None = None,
) -> Folder:
    """Open the folder `name` in an open one; create it with the mode `make`, if that is given.

    Raises FileNotFoundError, OSError.
    """
    try:
        return _open_in(folder, name, flags)
    except FileNotFoundError:
        if make is None:
            raise
    try:
        os.mkdir(name, make, dir_fd=folder.descriptor)
    except FileExistsError:  # another process was faster
        return _open_in(folder, name, flags)
    made = _open_in(folder, name, os.O_RDONLY)
    try:
        if made.status.st_uid == os.geteuid():  # and not another folder in its place
            _hand_over(made.descriptor, make, owner or _new_owner(folder.status))
        return Folder(made.path, made.descriptor, os.fstat(made.descriptor))
    except BaseException:
        os.close(made.descriptor)
        raise


def _open_in(folder: Folder, name: str, flags: int) -> Folder:
    descriptor = os.open(name, flags | FOLDER, dir_fd=folder.descriptor)
    return Folder(folder.path / name, descriptor, os.fstat(descriptor))


def _hand_over(descriptor: int, mode: int, owner: tuple[int, int] | None) -> None:
    """Give a new file to `owner`, and add the bits of `mode` that the umask removed."""
    if owner:
        os.fchown(descriptor, *owner)
    now = stat.S_IMODE(os.fstat(descriptor).st_mode)
    if mode & ~now:
        os.fchmod(descriptor, now | mode)


def _new_owner(status: os.stat_result) -> tuple[int, int] | None:
    """Return the owner of what is created in a folder with this status; None if it is ours."""
    if os.geteuid() != 0 or status.st_uid == 0:
        return None
    return status.st_uid, status.st_gid


def owned(folder: Folder, owners: Collection[int] | None) -> Folder:
    """Return the folder, if it belongs to one of `owners` (by default the trusted users).

    Raises ForeignFile otherwise, and closes it.
    """
    if not _is_owned(folder.status, owners):
        os.close(folder.descriptor)
        raise ForeignFile(folder.path, folder.status.st_uid)
    return folder


def _is_owned(status: os.stat_result, owners: Collection[int] | None) -> bool:
    if owners is None:
        return is_trusted(status.st_uid)
    return status.st_uid in owners


def _check_file(
    folder: Folder, name: str, status: os.stat_result, owners: Collection[int] | None
) -> None:
    """Raise UnsafeFile if it is not a regular file with one name and a trusted owner."""
    if not stat.S_ISREG(status.st_mode):
        raise UnsafeFile(folder.path / name, _kind(status))
    if not _is_owned(status, owners):
        raise ForeignFile(folder.path / name, status.st_uid)
    if status.st_nlink > 1:
        raise UnsafeFile(folder.path / name, "has a second name (a hard link)")


def _kind(status: os.stat_result) -> str:
    kinds = {
        stat.S_IFLNK: "is a symbolic link",
        stat.S_IFDIR: "is a folder",
        stat.S_IFREG: "is a file, not a folder",
        stat.S_IFIFO: "is a named pipe",
        stat.S_IFSOCK: "is a socket",
    }
    return kinds.get(stat.S_IFMT(status.st_mode), "is a device")
