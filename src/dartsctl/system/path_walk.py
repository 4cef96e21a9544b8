"""Walk a path name by name to an open folder, by the rules of `files`."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from dartsctl.system.files import FOLDER, NO_FOLDER, Folder, UnsafeFile, open_or_make, owned
from dartsctl.system.users import user_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

_WALK = getattr(os, "O_PATH", os.O_RDONLY)  # without O_PATH (macOS) each folder must be readable
_LINKS = 40
"""Links in one path; the limit of the kernel."""


def open_folder(
    path: Path,
    *,
    make: int | None = None,
    owner: tuple[int, int] | None = None,
    owners: Collection[int] | None = None,
) -> Folder:
    """Open the folder `path`.

    `make`: create missing folders with this mode. `owner`: uid and gid of created folders; by
    default folders that root creates get those of their parent. `owners`: the users who may own
    the folder; by default any.

    Raises FileNotFoundError, NotADirectoryError, UnsafeFile, OSError.
    """
    path = path.absolute()
    descriptor = _walk(list(path.parts[1:]), make, owner)
    folder = Folder(path, descriptor, os.fstat(descriptor))
    return folder if owners is None else owned(folder, owners)


def refuse_links_of_others(folder: Path) -> None:
    """Raise UnsafeFile if a link of another user leads to `folder`. Raises OSError."""
    with open_folder(folder):
        return


def locate(path: Path) -> tuple[Folder, str]:
    """Follow links from `path` to a file; return its open folder and its name in it.

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


def _walk(names: list[str], make: int | None, owner: tuple[int, int] | None) -> int:
    """Return a descriptor of the folder to which the names lead from the root, to read it."""
    here, walked = _start(names)
    links = 0
    try:
        while names:
            name = names.pop(0)
            flags = _WALK if names else os.O_RDONLY
            there = _open_plain(name, flags, here)
            if there is None:  # a link, or missing
                folder = Folder(Path(*walked), here, os.fstat(here))
                target = _link_target(folder, name, links)
                if target is None:
                    there = open_or_make(folder, name, flags, make, owner).descriptor
                else:
                    links += 1
                    names[:0] = [part for part in target.parts if part != target.anchor] or ["."]
                    name = target.anchor or "."
                    there = os.open(name, _WALK | FOLDER, dir_fd=here)
            os.close(here)
            here = there
            walked.append(name)
    except BaseException:
        os.close(here)
        raise
    return here


def _start(names: list[str]) -> tuple[int, list[str]]:
    """Open the first name, which is then taken from `names`, or else the root.

    Return the descriptor, and where it leads.
    """
    if names:
        first = f"/{names[0]}"
        here = _open_plain(first, _WALK if len(names) > 1 else os.O_RDONLY)
        if here is not None:
            del names[0]
            return here, [first]
    return os.open("/", os.O_RDONLY | FOLDER), ["/"]


def _open_plain(name: str, flags: int, folder: int | None = None) -> int | None:
    """Open the folder `name` in an open one; None if it is missing, or a link, or no folder."""
    try:
        return os.open(name, flags | FOLDER, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno in NO_FOLDER:
            return None
        raise


def _link_target(folder: Folder, name: str, links: int) -> Path | None:
    """Return the target of the link `name`; None if it is not a link.

    `links`: how many links were followed before.

    Raises UnsafeFile for a link that another user may have created. Root does not even follow links
    of the user who called sudo.
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
