"""Linked git worktrees: several checkouts of one repository, with the same settings file.

git's files are read. Starting git would execute what another user's checkout configures.
"""

from __future__ import annotations

from pathlib import Path

from dartsctl.system import bounded_file

_LIMIT = 1 << 13
"""Bytes of a `.git` file: one path."""


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
