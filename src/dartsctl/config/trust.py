"""Which files dartsctl obeys: settings, env files, and what is found by a conventional name. The rule is that of git's safe.directory.

They must belong to this user, root, or the user who called sudo, and not be open to everybody for writing. The same goes for the
folder that they lie in, and for what a link leads to. Folders that this user trusts (`dartsctl trust`), and all below, are exempt.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from dartsctl.errors import Refused
from dartsctl.system.users import trusted_users, user_name


@dataclass(frozen=True, slots=True)
class Trust:
    """`folders` reads which folders this user trusts; it is asked only where a file is another user's."""

    folders: Callable[[], Collection[Path]] = tuple

    def require(self, file: Path) -> None:
        """Raise Refused where `file` is not one to obey. One that is not there is no matter of trust."""
        problem = _problem(file)
        if problem is None or self._covers(file):
            return
        reason, remedy = problem
        trust = f"dartsctl trust {shlex.quote(str(file.parent))}"
        either = ("who can write it decides what dartsctl does and runs; look at it first",)
        raise Refused(
            f"{file} is not used: {reason}",
            details=(*either, f"or: {trust}") if remedy else either,
            hint=remedy or trust,
        )

    def _covers(self, file: Path) -> bool:
        folder = file.parent.resolve()
        return any(folder.is_relative_to(trusted) for trusted in self.folders())


def _problem(file: Path) -> tuple[str, str] | None:
    """Why the file is not trusted by itself, as half a sentence, and the command that changes that where it is ours to change."""
    for path, follow in ((file.parent, True), (file, False), (file, True)):
        try:
            status = path.stat(follow_symlinks=follow)
        except OSError:
            return None  # whoever reads it says what is wrong
        if status.st_uid not in trusted_users():
            return f"{path} belongs to another user ({user_name(status.st_uid)})", ""
        if _is_open_to_all(status):
            is_ours = os.geteuid() in (0, status.st_uid)
            return (
                f"every user may write to {path}",
                f"chmod o-w {shlex.quote(str(path))}" if is_ours else "",
            )
    return None


def _is_open_to_all(status: os.stat_result) -> bool:
    """Whether everybody may change it: a file with such a mode, a folder where nothing protects each one's files (/tmp does)."""
    is_open = bool(status.st_mode & stat.S_IWOTH)
    if stat.S_ISDIR(status.st_mode):
        return is_open and not status.st_mode & stat.S_ISVTX
    return is_open and stat.S_ISREG(status.st_mode)
