"""Which files dartsctl obeys: settings, env files, and files that a conventional name selects.

The rule is that of git's safe.directory. A file must belong to this user, root, or the user who
called sudo, and must not be writable by everybody. The same applies to its folder, and to the
target of a link. Folders that this user trusts (`dartsctl trust`), and all below, are exempt.
"""

from __future__ import annotations

import os
import stat

from dartsctl.errors import Refused
from dartsctl.records import record
from dartsctl.system.users import trusted_users, user_name
from dartsctl.text.phrases import shell_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path


@record
class Trust:
    """The check. `folders` returns the trusted folders; it is called only where needed."""

    folders: Callable[[], Collection[Path]] = tuple

    def require(self, file: Path) -> None:
        """Raise Refused where `file` is not trusted. A missing file is accepted."""
        problem = _problem(file)
        if problem is None or self._covers(file):
            return
        reason, remedy = problem
        trust = shell_command("dartsctl", "trust", file.parent)
        details = ["its writer decides what dartsctl does and runs; look at it first"]
        if remedy:
            details.append(f"or: {trust}")
        raise Refused(
            f"refusing to use {file}: {reason}", details=tuple(details), hint=remedy or trust
        )

    def _covers(self, file: Path) -> bool:
        folder = file.parent.resolve()
        return any(folder.is_relative_to(trusted) for trusted in self.folders())


def _problem(file: Path) -> tuple[str, str] | None:
    """Return why the file itself is not trusted, and the command that corrects it, where we may."""
    for path, follow in ((file.parent, True), (file, False), (file, True)):
        try:
            status = path.stat(follow_symlinks=follow)
        except OSError:
            return None  # the reader reports it
        if status.st_uid not in trusted_users():
            return f"{path} belongs to another user ({user_name(status.st_uid)})", ""
        if _is_open_to_all(status):
            is_ours = os.geteuid() in (0, status.st_uid)
            remedy = shell_command("chmod", "o-w", path) if is_ours else ""
            return f"{path} is writable by every user", remedy
    return None


def _is_open_to_all(status: os.stat_result) -> bool:
    """Return whether everybody may change it.

    A folder with the sticky bit, like /tmp, protects the files of each user.
    """
    is_open = bool(status.st_mode & stat.S_IWOTH)
    if stat.S_ISDIR(status.st_mode):
        return is_open and not status.st_mode & stat.S_ISVTX
    return is_open and stat.S_ISREG(status.st_mode)
