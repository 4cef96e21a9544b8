"""Docker's rules for .dockerignore: which files of a build context an image can get.

Source: https://docs.docker.com/build/concepts/context/#dockerignore-files. Unlike in a .gitignore,
a pattern without `**` is matched from the context's root, and the last matching line wins.
"""

from __future__ import annotations

import posixpath
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def excluded(path: str, lines: Iterable[str]) -> bool:
    """Return whether a path of the context (relative, with `/`) is left out."""
    is_out = False
    for pattern, is_exception in _patterns(lines):
        if _matches(pattern, path):
            is_out = not is_exception
    return is_out


def kept_on_purpose(path: str, lines: Iterable[str]) -> bool:
    """Return whether a line with `!` brings a path back that another line leaves out."""
    is_out = is_back = False
    for pattern, is_exception in _patterns(lines):
        if _matches(pattern, path):
            is_back = is_out and is_exception
            is_out = not is_exception
    return is_back


def _patterns(lines: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Yield each pattern as Docker cleans it, and whether it begins with `!`."""
    for number, line in enumerate(lines):
        text = line.removeprefix("\ufeff") if number == 0 else line
        if text.startswith("#"):
            continue
        text = text.strip()
        is_exception = text.startswith("!")
        text = text.removeprefix("!").strip()
        if text:
            yield posixpath.normpath(text).lstrip("/"), is_exception


def _matches(pattern: str, path: str) -> bool:
    """Return whether a pattern matches a path, or a folder that it is in."""
    regex = _regex(pattern)
    parts = path.split("/")
    folders = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    return any(map(regex.fullmatch, folders))


def _regex(pattern: str) -> re.Pattern[str]:
    """Return a pattern of Go's filepath.Match, with Docker's `**`, as a regular expression."""
    text, position = "", 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if character == "*" and pattern[position : position + 1] == "*":
            position += 1
            if pattern[position : position + 1] == "/":
                position += 1
                text += "(?:.*/)?"
            else:
                text += ".*"
        elif character == "*":
            text += "[^/]*"
        elif character == "?":
            text += "[^/]"
        elif character == "[" and (end := pattern.find("]", position + 1)) > 0:
            text += pattern[position - 1 : end + 1].replace("\\", "\\\\")
            position = end + 1
        elif character == "\\" and position < len(pattern):
            text += re.escape(pattern[position])
            position += 1
        else:
            text += re.escape(character)
    try:
        return re.compile(text)
    except re.error:  # Docker refuses the file; it matches nothing here
        return re.compile(r"(?!)")


def takes(source: str, path: str) -> bool:
    """Return whether a path of the context is in what is copied: a variable may be any folder."""
    return source == "." or "$" in source or _matches(source, path)
