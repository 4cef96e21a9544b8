"""The lines of .gitignore that keep secrets out of the repository."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dartsctl import spawn
from dartsctl.config import templates
from dartsctl.config.templates import Change
from dartsctl.errors import DartsctlError, UsageError
from dartsctl.system import bounded_file
from dartsctl.text.phrases import shell_command
from dartsctl.workflows.init.findings import Findings
from dartsctl.workflows.init.project import relative

_GIT_DEADLINE = 5.0  # seconds


def find_ignored(root: Path, private: Sequence[Path]) -> Findings:
    """Return the lines for .gitignore; `private` are the files that it must name."""
    return Findings(changes=tuple(_gitignore(root, private)))


def _gitignore(root: Path, private: Sequence[Path]) -> list[Change]:
    """Plan the lines that keep secrets out of the repository; none where git is not used."""
    path = root / ".gitignore"
    inside = [relative(root, file) for file in private if file.is_relative_to(root)]
    if not inside or not (path.exists() or _is_in_git(root)):
        return []
    lines = [f"/{name}\n" for name in _not_ignored(root, inside)]
    if not lines:
        return [Change("keep", path, "")]
    text = "".join(lines)
    about = ", ".join(text.splitlines())
    if path.exists():
        return [Change("append", path, about, text)]
    return [Change("create", path, about, text)]


def _is_in_git(root: Path) -> bool:
    return any((folder / ".git").exists() for folder in (root, *root.parents))


def _not_ignored(root: Path, paths: Sequence[str]) -> tuple[str, ...]:
    """Return the paths that git does not ignore.

    Where git gives no answer (not installed, not its own folder), .gitignore is read.
    """
    try:
        result = spawn.run(
            ["git", "-C", str(root), "check-ignore", "--", *paths], deadline=_GIT_DEADLINE
        )
    except DartsctlError:
        result = None
    if result and result.code in (0, 1):
        ignored = set(result.stdout.splitlines())
        return tuple(path for path in paths if path not in ignored)
    return templates.not_ignored(paths, _text_of(root / ".gitignore"))


def _text_of(file: Path) -> str:
    """Return the text of a file, empty where it is missing. Raises UsageError if unreadable."""
    try:
        return bounded_file.read_text(file)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UsageError(
            f"cannot read {file}: {error.strerror}", hint=shell_command("ls", "-l", file)
        ) from error
