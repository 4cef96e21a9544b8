"""Linked git worktrees: several checkouts of one repository, with the same settings file.

git's files are read, git is not started: every command asks this.
"""

from __future__ import annotations

from pathlib import Path

from dartsctl.config.values import normal_project
from dartsctl.records import record
from dartsctl.system import bounded_file

_LIMIT = 1 << 13
"""Bytes of a `.git` file: one path."""


@record
class Worktree:
    """The name of the linked git worktree that the settings are in, empty elsewhere.

    `is_named_alike`: whether `name` is the same in the other checkouts, so that their projects
    would be too. The name of the worktree's own folder is not.
    """

    name: str = ""
    is_named_alike: bool = False

    def project_of(self, project: str, *, is_own: bool) -> tuple[str, str]:
        """Return the project of this checkout, and the one of which it is a copy, if it is.

        `is_own`: some file names it, not the folder.
        """
        if self.name and (self.is_named_alike or is_own):
            return f"{project}-{self.name}", project
        return project, ""


def worktree_of(root: Path, *, has_name: bool) -> Worktree:
    """Return the worktree of a project; `has_name`: its settings say the `name`."""
    linked = linked_worktree(root)
    if linked is None:
        return Worktree()
    return Worktree(normal_project(linked[1]), has_name or linked[0] != root)


def linked_worktree(folder: Path) -> tuple[Path, str] | None:
    """Return the linked worktree that `folder` is in: its folder, and git's name for it.

    None in the main checkout, in a submodule, and outside of a repository.
    """
    for parent in (folder, *folder.parents):
        marker = parent / ".git"
        try:
            if not marker.exists():
                continue
            if marker.is_dir():
                return None
            text = bounded_file.read_text(marker, limit=_LIMIT)
        except OSError:
            return None
        git_dir = Path(text.removeprefix("gitdir:").strip())
        return (parent, git_dir.name) if git_dir.parent.name == "worktrees" else None
    return None
