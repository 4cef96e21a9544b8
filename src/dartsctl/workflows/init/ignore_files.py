"""The lines of .gitignore that keep secrets out of the repository, and what is in it already."""

from __future__ import annotations

from dartsctl.discovery.changes import Change
from dartsctl.discovery.proposal import Proposal, Task
from dartsctl.edges.project import env_files, git_files
from dartsctl.text.phrases import relative, shell_command
from dartsctl.text.secret_names import is_secret_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def find_ignored(root: Path, private: Sequence[Change]) -> Proposal:
    """Return the lines for .gitignore, and the secrets that git has already.

    `private` are the planned and kept files that must not be in a repository.
    """
    inside: dict[str, Change] = {}
    for change in private:
        if change.path.is_relative_to(root):
            inside[relative(root, change.path)] = change
    tracked = git_files.tracked(root, inside)
    tasks = [_task(root, path) for path in tracked if _is_secret(inside[path])]
    tasks += [_task(root, path) for path in git_files.tracked_keys(root) if path not in tracked]
    wanted = [path for path in inside if path not in tracked or _is_secret(inside[path])]
    return Proposal(changes=tuple(_gitignore(root, wanted)), tasks=tuple(tasks))


def _is_secret(change: Change) -> bool:
    """Whether a file has a secret. An env file may be in git where it has none."""
    if change.generated or not change.is_env_file:
        return True
    values = env_files.readable_values(change.path)
    return any(entry.value and is_secret_name(name) for name, entry in values.items())


def _task(root: Path, path: str) -> Task:
    untrack = shell_command("git", "-C", root, "rm", "--cached", path)
    text = f"{path} is in git, with its secrets: take it out, and replace what was ever pushed"
    return Task(text, (untrack,), is_required=False)


def _gitignore(root: Path, paths: Sequence[str]) -> list[Change]:
    """Plan the lines that keep secrets out of the repository; none where git is not used."""
    path = root / ".gitignore"
    if not paths or not (path.exists() or git_files.is_in_git(root)):
        return []
    lines = [f"/{name}\n" for name in git_files.not_ignored(root, paths)]
    if not lines:
        return [Change("keep", path, "")]
    text = "".join(lines)
    about = ", ".join(text.splitlines())
    if path.exists():
        return [Change("append", path, about, text)]
    return [Change("create", path, about, text)]
