"""What git says about a project's files: which it has, and which it ignores.

git itself refuses a checkout of another user (its safe.directory). In our own one its configuration
may still be somebody else's, as in an unpacked archive: the program that git would run to answer
(core.fsmonitor) is switched off.
"""

from __future__ import annotations

import fnmatch

from dartsctl import spawn
from dartsctl.errors import DartsctlError
from dartsctl.system import bounded_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_DEADLINE = 5.0  # seconds
_GIT = ("git", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false")
_KEYS = ("*.key", "*.pem", "*_rsa", "*_ed25519")
_MOST_KEYS = 20


def is_in_git(root: Path) -> bool:
    """Return whether a folder is in a git checkout."""
    return any((folder / ".git").exists() for folder in (root, *root.parents))


def tracked(root: Path, paths: Iterable[str]) -> tuple[str, ...]:
    """Return those of the paths that git has; none where git gives no answer."""
    names = [f":(literal){path}" for path in paths]
    return _paths_of(root, "ls-files", "-z", "--", *names) if names else ()


def tracked_keys(root: Path) -> tuple[str, ...]:
    """Return the private keys that git has."""
    names = _paths_of(root, "ls-files", "-z", "--", *_KEYS)[:_MOST_KEYS]
    return tuple(name for name in names if _is_private_key(root / name))


def _is_private_key(file: Path) -> bool:
    return "PRIVATE KEY-----" in bounded_file.readable_text(file)


def _paths_of(root: Path, *words: str) -> tuple[str, ...]:
    if not is_in_git(root):
        return ()
    try:
        result = spawn.run([*_GIT, "-C", str(root), *words], deadline=_DEADLINE)
    except DartsctlError:
        return ()
    if result.code != 0:
        return ()
    return tuple(filter(None, result.stdout.split("\0")))


def not_ignored(root: Path, paths: Sequence[str]) -> tuple[str, ...]:
    """Return the paths that git does not ignore.

    Where git gives no answer (not installed, not its own folder), .gitignore is read.
    """
    try:  # a file that git has already counts as not ignored without --no-index
        result = spawn.run(
            [*_GIT, "-C", str(root), "check-ignore", "--no-index", "--", *paths],
            deadline=_DEADLINE,
        )
    except DartsctlError:
        result = None
    if result and result.code in (0, 1):
        ignored = set(result.stdout.splitlines())
        return tuple(path for path in paths if path not in ignored)
    return _unmatched(paths, _text_of(root / ".gitignore"))


def _text_of(file: Path) -> str:
    """Return the text of a file, empty where it is missing. Raises UsageError if unreadable."""
    try:
        return bounded_file.read_text(file)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise bounded_file.unreadable(file, error) from error


def _unmatched(paths: Iterable[str], gitignore: str) -> tuple[str, ...]:
    """Return those of `paths` (relative, with /) that no line of a .gitignore matches.

    Only for folders where git itself cannot be asked.
    """
    lines = [line.strip() for line in gitignore.splitlines() if not line.startswith(("#", "!"))]
    patterns = [line.lstrip("/") for line in lines if line]
    return tuple(path for path in paths if not _matches(path, patterns))


def _matches(path: str, patterns: Iterable[str]) -> bool:
    name = path.rpartition("/")[2]
    return any(fnmatch.fnmatch(path, line) or fnmatch.fnmatch(name, line) for line in patterns)
